import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsBoolean, IsInt, IsNumber, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import type { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { recordResults, toExternalOutcome } from '../record-results.js';
import { selectBatch } from '../store/lock-batch.js';
import { toBatchView } from '../store/select-batches.js';

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

  async execute({ batchId, last, caller, ...result }: RecordExternalResult): Promise<BatchView> {
    const given = { batchId, tenant: caller.tenant, outcomes: [toExternalOutcome(result, '')], last };
    const { events } = await this.database.transaction((connection) => recordResults(connection, given, () => 'key'));
    await this.publisher.publish(events);
    return toBatchView(await selectBatch(this.database.pool, caller.tenant, batchId));
  }
}
