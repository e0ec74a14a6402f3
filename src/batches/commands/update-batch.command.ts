import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsObject, IsOptional, IsString, MaxLength, ValidateNested } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import { Nullable } from '../../common/nullable.js';
import type { Caller } from '../../common/procedure.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import { type BatchOptions, BatchOptionsInput, givenOptions } from '../batch.options.js';
import { ItemHandlerRegistry } from '../../operations/item-handler.registry.js';
import { assertNoRateLimit, whyNotLimited } from '../batch-planner.js';
import type { BatchView } from '../batch.view.js';
import { laneWidths, rankOf } from '../dialects.js';
import { assertLimitsCanBeKept, changedLimits } from '../resource-limits.options.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import { type BatchRow, toBatchView } from '../store/select-batches.js';

/** Changes a batch's name and description, at any time, or its settings while it is pending. What is not given stays as it is. */
export class UpdateBatch extends Command<BatchView> {
  @IsString() batchId: string;
  /** null: none */
  @Nullable() @IsString() @MaxLength(500) name?: string | null;
  /** null: none */
  @Nullable() @IsString() @MaxLength(10_000) description?: string | null;
  /** Those to change. */
  @IsOptional() @IsObject() @ValidateNested() @Type(() => BatchOptionsInput) options?: BatchOptionsInput;

  caller: Caller;
}

const SET_TEXTS: Statement = { name: 'set-batch-texts', text: `UPDATE batch SET name = $2, description = $3 WHERE id = $1` };

/** Nobody holds a lane of a pending run, so that they can be made anew. */
const SET_OPTIONS: Statement = {
  name: 'set-batch-options',
  text: `
    WITH changed AS (UPDATE batch SET options = $2 WHERE run_id = $1),
      ranked AS (UPDATE run SET rank = $3 WHERE id = $1),
      wanted AS (SELECT w.no - 1 AS no, w.width FROM unnest($4::smallint[]) WITH ORDINALITY AS w (width, no)),
      surplus AS (DELETE FROM lane WHERE run_id = $1 AND no NOT IN (SELECT no FROM wanted))
    INSERT INTO lane (run_id, no, width) SELECT $1, no, width FROM wanted
    ON CONFLICT (run_id, no) DO UPDATE SET width = excluded.width`,
};

@CommandHandler(UpdateBatch)
export class UpdateBatchHandler implements ICommandHandler<UpdateBatch> {
  constructor(
    private readonly database: Database,
    private readonly registry: ItemHandlerRegistry,
  ) {}

  async execute(input: UpdateBatch): Promise<BatchView> {
    const { batchId, caller } = input;
    const row = await this.database.transaction(async (connection) => {
      const batch = await lockBatch(connection, caller.tenant, batchId);
      const { name = batch.name, description = batch.description } = input;
      await run(connection, SET_TEXTS, [batchId, name, description]);
      if (input.options) {
        const handler = batch.external ? undefined : this.registry.get(batch.operation);
        assertLimitsCanBeKept(input.options.resourceLimits, whyNotLimited(handler));
        await setOptions(connection, batch, input.options);
      }
      return selectBatch(connection, caller.tenant, batchId);
    });
    return toBatchView(row);
  }
}

async function setOptions(connection: Connection, batch: BatchRow, given: BatchOptionsInput): Promise<void> {
  // Items of an operation with few slots are handed out one by one, as at creation.
  const fixed = batch.options.laneWidth === 1 ? { batchSize: 1 } : {};
  const resourceLimits = changedLimits(batch.options.resourceLimits, given.resourceLimits);
  const options: BatchOptions = { ...batch.options, ...givenOptions(given), resourceLimits, ...fixed };
  if (batch.status !== 'pending') {
    throw new AppError('CONFLICT', `batch ${batch.id} is ${batch.status}; settings can be changed only while the batch is pending`);
  }
  if (options.batchSize !== batch.options.batchSize && batch.total > 0 && !batch.external) {
    throw new AppError('CONFLICT', `batchSize: the items of batch ${batch.id} are packed already, ${batch.options.batchSize} at a time`);
  }
  if (batch.external) assertNoRateLimit(given);
  await run(connection, SET_OPTIONS, [batch.run_id, options, rankOf(options), laneWidths(options)]);
}
