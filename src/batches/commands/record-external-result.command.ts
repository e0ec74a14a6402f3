import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsBoolean, IsInt, IsNumber, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { toStorableJson } from '../../common/safe-json.js';
import { type Connection, Database } from '../../database/sql.js';
import { assertMove } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { settleRunWithin } from '../store/settle-run.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import { isUnexpectedKey, recordExternalOutcome, sealRun } from '../store/record-external-outcome.js';
import { recordProgress } from '../store/record-progress.js';
import { toBatchView } from '../store/select-batches.js';
import { startRun } from '../store/start-run.js';

const MAX_OUTPUT_CHARACTERS = 262_144;

/**
 * Records the result of one item that was worked outside. The first result starts the batch, the last one ends it; when
 * the number of results was never told, the caller says `last`. A second result for the same key changes nothing.
 */
export class RecordExternalResult extends Command<BatchView> {
  @IsString() batchId: string;
  @IsString() @MinLength(1) @MaxLength(512) key: string;
  @IsBoolean() success: boolean;
  /** JSON, at most 256 kB. */
  @IsOptional() @Opaque() output?: unknown;
  @IsOptional() @IsString() @MaxLength(10_000) error?: string;
  /** Tries after the first. */
  @IsOptional() @IsInt() @Min(0) @Max(10_000) retries?: number;
  @IsOptional() @IsNumber() @Min(0) @Max(1e12) durationMs?: number;
  @IsOptional() @IsNumber() @Min(0) @Max(1) quality?: number;
  /** No more results will come. */
  @IsOptional() @IsBoolean() last?: boolean;

  caller: Caller;
}

@CommandHandler(RecordExternalResult)
export class RecordExternalResultHandler implements ICommandHandler<RecordExternalResult> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
  ) {}

  async execute(input: RecordExternalResult): Promise<BatchView> {
    const output = toStorableJson(input.output, 'output') ?? 'null';
    if (output.length > MAX_OUTPUT_CHARACTERS) {
      throw new AppError(
        'TOO_LARGE',
        `output: the result of ${input.key} has ${output.length} characters; at most ${MAX_OUTPUT_CHARACTERS} are kept`,
      );
    }
    const events = await this.database.transaction((connection) => this.record(connection, input, output));
    await this.publisher.publish(events);
    return toBatchView(await selectBatch(this.database.pool, input.caller.tenant, input.batchId));
  }

  private async record(connection: Connection, input: RecordExternalResult, output: string): Promise<(BatchEventRecord | undefined)[]> {
    const { batchId, caller } = input;
    const batch = await lockBatch(connection, caller.tenant, batchId);
    assertMove('record results of', batch.status, batchId);
    if (!batch.external) {
      throw new AppError(
        'CONFLICT',
        `batch ${batchId} is worked by the item handler of ${batch.operation}; create it with external results to record them`,
      );
    }
    if (await isUnexpectedKey(connection, batch.run_id, input.key)) {
      throw new AppError('NOT_FOUND', `batch ${batchId} has no item with the key ${input.key}`);
    }
    const started = batch.status === 'pending' ? await startRun(connection, batch.run_id, batch.sealed) : undefined;
    const recorded = await recordExternalOutcome(connection, batch.run_id, { ...input, output });
    if (recorded && batch.sealed && batch.succeeded + batch.failed + batch.cancelled >= batch.total) {
      throw new AppError('CONFLICT', `batch ${batchId} has all of its ${batch.total} results; ${input.key} would be one more`);
    }
    if (input.last) await sealRun(connection, await selectBatch(connection, caller.tenant, batchId));
    const settled = await settleRunWithin(connection, batch.run_id);
    const progressed = recorded && settled.events.length === 0 ? await recordProgress(connection, [batch.run_id]) : [];
    return [started, ...progressed, ...settled.events];
  }
}
