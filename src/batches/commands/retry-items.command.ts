import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
} from 'class-validator';
import { OptionalAnyJson } from '../../common/any-json.js';
import { AppError, invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { FreeSpace } from '../../database/free-space.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import { commitClaim } from '../../idempotency/store/commit-claim.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import { assertMove } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import { chooseRepeat, MAX_NAMED, nothingToRepeat } from '../choose-repeat.js';
import { laneWidths, rankOf } from '../dialects.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { ItemPayloads } from '../item-payloads.js';
import { REPEATABLE, type Repeatable } from '../repeat-choice.js';
import { ringRun } from '../ring-run.js';
import { type StagedRepeat, stageRepeat } from '../stage-repeat.js';
import { appendAudit } from '../store/append-audit.js';
import { figuresOfChosen } from '../store/choose-items.js';
import { expectAgain } from '../store/expect-again.js';
import { acceptIntake, discardIntake } from '../store/insert-chunks.js';
import { insertRepeatRun } from '../store/insert-repeat-run.js';
import { measureEdits } from '../store/item-edits.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import { markRepeated } from '../store/mark-repeated.js';
import { type BatchRow, toBatchView } from '../store/select-batches.js';
import { selectTally } from '../store/select-tally.js';
import { startRun } from '../store/start-run.js';

/**
 * Works items of a batch that has ended once more, in a new run of it: those of which all that is said here is true, by default every
 * failed one. The others stay as they are, and what the repeated ones ended as before is kept as history. Of a batch with results
 * from outside the new run waits for results of these items.
 */
export class RetryItems extends Command<BatchView> {
  @IsString() batchId: string;
  /**
   * `unprocessed`: without an outcome, however the run ended; `cancelled`, `timed_out`: those of them whose run ended so, and
   * `timed_out` also what failed by its own time limit. Default: failed.
   */
  @IsOptional() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(REPEATABLE.length) @IsIn(REPEATABLE, { each: true }) statuses?: Repeatable[];
  /** Only items with these keys. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_NAMED)
  @IsString({ each: true })
  @MaxLength(512, { each: true })
  keys?: string[];
  /** Only items at these positions. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_NAMED)
  @IsInt({ each: true })
  @Min(0, { each: true })
  @Max(2_000_000_000, { each: true })
  seqs?: number[];
  /** Only items that ended with an error of this kind: timeout, permanent, invalid-payload ... */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(200) errorKind?: string;
  /** Only items that ended with this message. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(2_000) error?: string;
  /** contains: the message may be part of the item's error. Default: exact. */
  @IsOptional() @IsIn(['exact', 'contains']) errorMatch?: 'exact' | 'contains';
  /**
   * Tries go on counting from those an item has used, so that `retryAttempts` bounds them all; an item that has used them up is
   * tried once. Default: false, every item has all of its tries again.
   */
  @IsOptional() @IsBoolean() continueAttempts?: boolean;
  /** A new payload for the one item that is named; any JSON. */
  @OptionalAnyJson() @IsOptional() @Opaque() payload?: unknown;

  caller: Caller;
}

const NEXT_IDS: Statement = { name: 'next-run-id', text: `SELECT nextval('run_id') AS run_id, nextval('intake_id') AS intake_id` };

@CommandHandler(RetryItems)
export class RetryItemsHandler implements ICommandHandler<RetryItems> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
    private readonly publisher: BatchEventPublisher,
    private readonly lanes: LaneQueue,
    private readonly payloads: ItemPayloads,
  ) {}

  async execute(input: RetryItems): Promise<BatchView> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, input.caller.tenant, input.batchId);
    const repeat = await this.prepare(batch, input);
    await this.space.assertSpace('database');
    try {
      if (!batch.external) await stageRepeat(pool, repeat);
      const { row, started } = await this.start(repeat, input.caller);
      await this.publisher.publish([started]);
      if (!row.external) await ringRun(this.lanes, row);
      return toBatchView(row);
    } catch (error) {
      await discardIntake(pool, repeat.intake);
      throw error;
    }
  }

  private async prepare(batch: BatchRow, input: RetryItems): Promise<StagedRepeat> {
    const { pool } = this.database;
    const { continueAttempts, payload } = input;
    assertRepeatable(batch);
    if (batch.external && continueAttempts !== undefined) {
      throw new AppError('UNPROCESSABLE', `continueAttempts: the tries of batch ${batch.id} are counted by whoever records its results`);
    }
    const edits = (await measureEdits(pool, batch.id)).count;
    const items = await chooseRepeat(pool, batch, input);
    if (payload !== undefined && items.seqs?.length !== 1) throw invalidField('payload', 'is for one item; name just it by its seq');
    const given = payload === undefined ? null : { seq: items.seqs![0]!, payload: this.payloads.check(batch, payload) };
    const [ids] = await run<{ run_id: string; intake_id: string }>(pool, NEXT_IDS, []);
    return { batch, items, runId: ids!.run_id, intake: ids!.intake_id, continued: continueAttempts ?? false, edits, given };
  }

  /** All of it happens, or nothing; of two at once the second finds the first one's run. */
  private async start(repeat: StagedRepeat, caller: Caller) {
    const { batch, items, runId, intake, given } = repeat;
    const carriedTally = await this.carriedTally(repeat);
    return this.database.transaction(async (connection: Connection) => {
      assertAsBefore(repeat, await lockBatch(connection, batch.tenant, batch.id), await measureEdits(connection, batch.id));
      if (given) await this.payloads.keep(connection, batch.id, { ...given, editedBy: caller.subject ?? null });
      if (batch.external) await expectAgain(connection, items, runId);
      else await acceptIntake(connection, intake);
      const repeated = await markRepeated(connection, items, { runId, external: batch.external });
      if (repeated.failed + repeated.skipped + repeated.unprocessed === 0) throw nothingToRepeat(batch);
      const { options } = batch;
      const lanes = { rank: rankOf(options), widths: laneWidths(options) };
      await insertRepeatRun(connection, { id: runId, after: batch.run_id, repeated, carriedTally, ...lanes });
      const started = await startRun(connection, runId, true);
      const row = await selectBatch(connection, batch.tenant, batch.id);
      const details = { run: row.run_no, ...repeated };
      await appendAudit(connection, { batchId: batch.id, by: caller.subject ?? null, action: 'retry', details });
      await commitClaim(connection, caller, RetryItems, toBatchView(row));
      return { row, started };
    });
  }

  private async carriedTally({ batch, items }: StagedRepeat): Promise<string> {
    const { pool } = this.database;
    const tally = await selectTally(pool, batch.run_id);
    for await (const page of figuresOfChosen(pool, items)) {
      for (const figures of page) tally.remove(figures);
    }
    return JSON.stringify(tally);
  }
}

/** What succeeded and was undone would count as succeeded beside what is repeated. */
function assertRepeatable({ id, status, rollback }: BatchRow): void {
  assertMove('retry items of', status, id);
  if (rollback?.status === 'due')
    throw new AppError('CONFLICT', `the changes of batch ${id} are being taken back; look at it again when that is done`);
  if (rollback && rollback.compensated + rollback.restored + rollback.removed > 0) {
    throw new AppError('CONFLICT', `batch ${id} was rolled back: what its items did is undone; create a new batch to repeat them`);
  }
}

function assertAsBefore({ batch, edits }: StagedRepeat, now: BatchRow, measured: { count: number }): void {
  assertRepeatable(now);
  if (now.run_id !== batch.run_id) throw new AppError('CONFLICT', `batch ${now.id} was retried meanwhile; look at it again`);
  if (measured.count !== edits) throw new AppError('CONFLICT', `an item of batch ${now.id} was edited meanwhile; retry again`);
}
