import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsBoolean, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { AppError, invalidField } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import { assertMove } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import { laneWidths } from '../dialects.js';
import { CHUNK_STATE } from '../entities/chunk.entity.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { packChunks } from '../intake.js';
import { ringRun } from '../ring-run.js';
import { acceptIntake, discardIntake, insertChunks } from '../store/insert-chunks.js';
import { insertRepeatRun } from '../store/insert-repeat-run.js';
import { lockBatch, selectBatch, selectRunIds } from '../store/lock-batch.js';
import { type BatchRow, toBatchView } from '../store/select-batches.js';
import {
  type ChunkOfFailed,
  chunksOfFailed,
  expectAgain,
  type FailedItems,
  figuresOfFailed,
  findNotFailed,
  markRepeated,
} from '../store/select-failed.js';
import { selectTally } from '../store/select-tally.js';
import { startRun } from '../store/start-run.js';

const MAX_NAMED = 10_000;

/**
 * Works failed items of a batch that has ended once more, in a new run of it: all of them, or those named. Succeeded ones stay as
 * they are, and what the repeated ones ended as before is kept as history. Of a batch with results from outside the new run
 * waits for results of these items.
 */
export class RetryItems extends Command<BatchView> {
  @IsString() batchId: string;
  /** Only the failed items with these keys. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_NAMED)
  @IsString({ each: true })
  @MaxLength(512, { each: true })
  keys?: string[];
  /** Only the failed items at these positions. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_NAMED)
  @IsInt({ each: true })
  @Min(0, { each: true })
  @Max(2_000_000_000, { each: true })
  seqs?: number[];
  /**
   * Tries go on counting from those an item has used, so that `retryAttempts` bounds them all; an item that has used them up is
   * tried once. Default: false, every item has all of its tries again.
   */
  @IsOptional() @IsBoolean() continueAttempts?: boolean;

  caller: Caller;
}

const NEXT_IDS: Statement = { name: 'next-run-id', text: `SELECT nextval('run_id') AS run_id, nextval('intake_id') AS intake_id` };

@CommandHandler(RetryItems)
export class RetryItemsHandler implements ICommandHandler<RetryItems> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
    private readonly lanes: LaneQueue,
  ) {}

  async execute(input: RetryItems): Promise<BatchView> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, input.caller.tenant, input.batchId);
    const items = await this.choose(batch, input);
    const [ids] = await run<{ run_id: string; intake_id: string }>(pool, NEXT_IDS, []);
    const repeat: Repeat = { batch, items, runId: ids!.run_id, intake: ids!.intake_id, continued: input.continueAttempts ?? false };
    try {
      if (!batch.external) await this.stage(repeat);
      const { row, started } = await this.start(repeat);
      await this.publisher.publish([started]);
      if (!row.external) await ringRun(this.lanes, row);
      return toBatchView(row);
    } catch (error) {
      await discardIntake(pool, repeat.intake);
      throw error;
    }
  }

  private async choose(batch: BatchRow, { keys, seqs, continueAttempts }: RetryItems): Promise<FailedItems> {
    if (keys && seqs) throw invalidField('keys', 'name the items either by keys or by seqs, not both');
    assertMove('retry items of', batch.status, batch.id);
    if (batch.external && continueAttempts !== undefined) {
      throw new AppError('UNPROCESSABLE', `continueAttempts: the tries of batch ${batch.id} are counted by whoever records its results`);
    }
    if (batch.failed === 0) throw new AppError('CONFLICT', `nothing to retry: batch ${batch.id} has no failed item`);
    const items = { runIds: await selectRunIds(this.database.pool, batch), keys: keys ?? null, seqs: seqs ?? null };
    const wrong = await findNotFailed(this.database.pool, items);
    if (wrong.length > 0) {
      throw new AppError('CONFLICT', `of batch ${batch.id} only failed items can be retried; ${wrong.join(', ')} did not fail`);
    }
    return items;
  }

  /** Copies the items into chunks of the new run, which nobody sees before it starts; holds a few megabytes at a time. */
  private async stage({ batch, items, runId, intake, continued }: Repeat): Promise<void> {
    const { pool } = this.database;
    for await (const page of chunksOfFailed(pool, items)) {
      const texts = page.flatMap((chunk) => failedTexts(chunk, continued));
      const seqs = page.flatMap((chunk) => chunk.seqs);
      const chunkSize = Math.min(batch.options.batchSize, Math.ceil(texts.length / laneCount(batch)));
      const where = { runId, state: CHUNK_STATE.staged, intake };
      await insertChunks(
        pool,
        where,
        packChunks(texts, chunkSize, (index) => seqs[index]!),
      );
    }
  }

  /** All of it happens, or nothing; of two at once the second finds the first one's run. */
  private async start(repeat: Repeat) {
    const { batch, items, runId, intake } = repeat;
    const carried = await this.carriedTally(repeat);
    return this.database.transaction(async (connection: Connection) => {
      const now = await lockBatch(connection, batch.tenant, batch.id);
      assertMove('retry items of', now.status, batch.id);
      if (now.rollback?.status === 'due') {
        throw new AppError('CONFLICT', `the changes of batch ${batch.id} are being taken back; retry its items when that is done`);
      }
      if (now.run_id !== batch.run_id) throw new AppError('CONFLICT', `batch ${batch.id} was retried meanwhile; look at it again`);
      await insertRepeatRun(connection, { id: runId, after: batch.run_id, ...carried });
      if (batch.external) await expectAgain(connection, items, runId);
      else await acceptIntake(connection, intake);
      await markRepeated(connection, items, runId);
      const started = await startRun(connection, runId, true);
      return { row: await selectBatch(connection, batch.tenant, batch.id), started };
    });
  }

  private async carriedTally({ batch, items }: Repeat): Promise<{ total: number; carriedTally: string }> {
    const { pool } = this.database;
    const tally = await selectTally(pool, batch.run_id);
    let total = 0;
    for await (const page of figuresOfFailed(pool, items)) {
      for (const figures of page) tally.remove(figures);
      total += page.length;
    }
    return { total, carriedTally: JSON.stringify(tally) };
  }
}

interface Repeat {
  /** As it was when the items were chosen. Nothing of an ended run changes, so that they stay right until a new one begins. */
  batch: BatchRow;
  items: FailedItems;
  /** Of the new run. */
  runId: string;
  intake: string;
  continued: boolean;
}

function laneCount({ options }: BatchRow): number {
  return laneWidths(options).length;
}

/** JSON texts of `{ seq, attempt, key, payload? }`. */
function failedTexts({ no, items, seqs, keys, attempts }: ChunkOfFailed, continued: boolean): string[] {
  const firstSeq = Number(no);
  const packed = JSON.parse(items) as { payload?: unknown }[];
  return seqs.map((seq, index) => {
    const attempt = continued ? attempts[index]! + 1 : 1;
    return JSON.stringify({ seq, attempt, key: keys[index], payload: packed[seq - firstSeq]!.payload });
  });
}
