import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsObject, IsOptional, IsString, MaxLength, ValidateNested } from 'class-validator';
import { isDeepStrictEqual } from 'node:util';
import { AppError, unprocessable } from '../../common/app-error.js';
import { Nullable } from '../../common/nullable.js';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import { type BatchOptions, BatchOptionsInput, givenOptions } from '../batch.options.js';
import { ItemHandlerRegistry } from '../../operations/item-handler.registry.js';
import { assertWorkedOutside } from '../batch-planner.js';
import { assertMove } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import { assertCaution } from '../caution.options.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { whyNotLimited } from '../idle-options.js';
import { assertLimitsCanBeKept, changedLimits } from '../resource-limits.options.js';
import { ringRun } from '../ring-run.js';
import { appendAudit } from '../store/append-audit.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import { type BatchRow, toBatchView } from '../store/select-batches.js';
import { setOptions } from '../store/set-options.js';
import { settleRunWithin } from '../store/settle-run.js';

/**
 * Changes a batch's name and description, at any time, or its settings until it has ended. What is not given stays as it is. Workers
 * of a running batch have its new settings within a second.
 */
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

/** What the items of a run that is under way were begun with. */
const FIXED_AT_START = ['batchSize', 'canary', 'conflictResolution', 'backupStrategy', 'rollbackOnFailure'] as const;

const SET_TEXTS: Statement = { name: 'set-batch-texts', text: `UPDATE batch SET name = $2, description = $3 WHERE id = $1` };

@CommandHandler(UpdateBatch)
export class UpdateBatchHandler implements ICommandHandler<UpdateBatch> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
    private readonly lanes: LaneQueue,
    private readonly registry: ItemHandlerRegistry,
  ) {}

  async execute(input: UpdateBatch): Promise<BatchView> {
    const { batchId, caller } = input;
    const { row, isSteered, events } = await this.database.transaction(async (connection) => {
      const batch = await lockBatch(connection, caller.tenant, batchId);
      const { name = batch.name, description = batch.description } = input;
      const handler = batch.external ? undefined : this.registry.get(batch.operation);
      assertLimitsCanBeKept(input.options?.resourceLimits, whyNotLimited(handler));
      const options = mergeOptions(batch, input.options ?? {});
      const changed = changesOf(batch.options, options);
      const changes = { ...changesOf({ name: batch.name, description: batch.description }, { name, description }), ...changed };
      if (Object.keys(changes).length === 0) return { row: batch, isSteered: false, events: [] };
      await run(connection, SET_TEXTS, [batchId, name, description]);
      const isSteered = Object.keys(changed).length > 0;
      if (isSteered) {
        assertChangeable(batch, Object.keys(changed));
        await setOptions(connection, batch.run_id, options);
      }
      await appendAudit(connection, { batchId, by: caller.subject ?? null, action: 'update', details: changes });
      // What has failed already may be too much for it.
      const isJudged = batch.status === 'running' && 'failureThreshold' in changed;
      const { events } = isJudged ? await settleRunWithin(connection, batch.run_id) : { events: [] };
      return { row: await selectBatch(connection, caller.tenant, batchId), isSteered, events };
    });
    await this.publisher.publish(events);
    if (isSteered && row.status !== 'pending') await this.hurry(row);
    return toBatchView(row);
  }

  /** There may be more lanes now, and bells of its old rank may wait behind others. */
  private async hurry(row: BatchRow): Promise<void> {
    await this.publisher.runChanged(row.run_id);
    if (row.status === 'running' && !row.external) await ringRun(this.lanes, row);
  }
}

function mergeOptions(batch: BatchRow, given: BatchOptionsInput): BatchOptions {
  if (batch.external) assertWorkedOutside(given, batch.dialect);
  assertCaution(given);
  if (batch.options.laneWidth === 1 && (given.batchSize ?? 1) !== 1) {
    throw unprocessable('options.batchSize', `items of the operation ${batch.operation} are handed out one by one; leave it out`);
  }
  const resourceLimits = changedLimits(batch.options.resourceLimits, given.resourceLimits);
  // As it will be stored: what was given as an instance of a class is equal to what was stored of one.
  return JSON.parse(JSON.stringify({ ...batch.options, ...givenOptions(given), resourceLimits })) as BatchOptions;
}

/** What was and what is to be, of every field that differs. */
function changesOf<Fields extends object>(before: Fields, after: Fields): Record<string, { from: unknown; to: unknown }> {
  const pairs = Object.entries(after).map(
    ([name, to]) => [name, { from: before[name as keyof Fields] ?? null, to: to as unknown }] as const,
  );
  return Object.fromEntries(pairs.filter(([, { from, to }]) => !isDeepStrictEqual(from, to)));
}

/** @throws AppError CONFLICT naming the first setting that cannot change any more */
function assertChangeable(batch: BatchRow, changed: string[]): void {
  assertMove('change settings of', batch.status, batch.id);
  const fixed = FIXED_AT_START.find((name) => changed.includes(name));
  if (fixed && batch.status !== 'pending') {
    throw new AppError(
      'CONFLICT',
      `${fixed}: batch ${batch.id} is ${batch.status}; this setting can change only while the batch is pending`,
    );
  }
  if (fixed === 'batchSize' && batch.total > 0 && !batch.external) {
    throw new AppError('CONFLICT', `batchSize: the items of batch ${batch.id} are packed already, ${batch.options.batchSize} at a time`);
  }
}
