import { ApiHideProperty } from '@nestjs/swagger';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsArray, IsBoolean, IsInt, IsObject, IsOptional, IsString, Max, MaxLength, Min, MinLength, ValidateNested } from 'class-validator';
import type { Caller, Dialect } from '../../common/procedure.js';
import { OptionalAnyJsonList } from '../../common/any-json.js';
import { invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import { Config } from '../../config.js';
import { FreeSpace } from '../../database/free-space.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import { commitClaim } from '../../idempotency/store/commit-claim.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import { type BatchOptions, BatchOptionsInput } from '../batch.options.js';
import type { BatchView } from '../batch.view.js';
import { assertCanaryOfKnown, assertCaution } from '../caution.options.js';
import { completeOptions, laneWidths, newBatchId, rankOf } from '../dialects.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import type { ItemSource } from '../item-source.js';
import { Intake } from '../intake.js';
import { idleOptions, type OptionReaders, whyNotLimited } from '../idle-options.js';
import { requestPath } from '../request-paths.js';
import { changedLimits } from '../resource-limits.options.js';
import { ringRun } from '../ring-run.js';
import { BatchPlanner, type BatchPlan, expectedKeys } from '../batch-planner.js';
import { expectExternalKeys } from '../store/record-external-outcomes.js';
import { appendFirstEvents } from '../store/append-event.js';
import { toBatchView } from '../store/select-batches.js';
import { setGoing } from '../store/start-run.js';
import { Warnings } from '../warnings.js';

const MAX_ITEMS_PER_REQUEST = 100_000;

/**
 * Creates a batch from a list of items, from a filter that its operation expands, or empty (`open`) to be filled.
 * All or nothing: its items become visible together with it. It starts by itself unless told otherwise.
 */
export class CreateBatch extends Command<BatchView> {
  @IsString() @MinLength(1) @MaxLength(100) operation: string;
  @IsOptional() @IsString() @MaxLength(500) name?: string;
  @IsOptional() @IsString() @MaxLength(10_000) description?: string;
  /** Chooses the items, in the operation's own words. */
  @IsOptional() @Opaque() filters?: Record<string, unknown>;
  /** Settings of the operation, checked by its item handler's class. */
  @IsOptional() @Opaque() parameters?: Record<string, unknown>;
  /** `{ key?, payload? }` each, or a bare string or number, which is the key. */
  @OptionalAnyJsonList() @IsOptional() @Opaque() @IsArray() items?: unknown[];
  /** The items as a stream of any length, for callers in this process. */
  @IsOptional() @Opaque() @ApiHideProperty() source?: ItemSource;
  /** What its creator should know of it, for callers in this process that know more than the command. */
  @IsOptional() @ApiHideProperty() @IsArray() @IsString({ each: true }) warnings?: string[];
  /** Number of results to expect from outside, when there is no list of items. */
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) totalItems?: number;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => BatchOptionsInput) options?: BatchOptionsInput;
  /** true: results are recorded from outside, also of an operation that nobody here knows. Default: false. */
  @IsOptional() @IsBoolean() external?: boolean;
  /** Default: true, unless it is left open or external. */
  @IsOptional() @IsBoolean() start?: boolean;
  /** More items may be added until it is sealed. */
  @IsOptional() @IsBoolean() open?: boolean;

  @ApiHideProperty() caller: Caller;
}

const NEXT_IDS: Statement = { name: 'next-run-id', text: `SELECT nextval('run_id') AS run_id, nextval('intake_id') AS intake_id` };

const INSERT_BATCH: Statement = {
  name: 'insert-batch',
  text: `
    WITH made AS (
      INSERT INTO run (id, batch_id, no, status, sealed, total, next_seq, rank)
      VALUES ($1, $2, 1, 'pending', $3, $4, $5, $6)
    ), lanes AS (
      INSERT INTO lane (run_id, no, width) SELECT $1, w.no - 1, w.width FROM unnest($7::smallint[]) WITH ORDINALITY AS w (width, no)
    )
    INSERT INTO batch (id, tenant, dialect, operation, name, description, filters, parameters, options, external, created_by, warnings, run_id)
    VALUES ($2, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $1)`,
};

@CommandHandler(CreateBatch)
export class CreateBatchHandler implements ICommandHandler<CreateBatch> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
    private readonly config: Config,
    private readonly planner: BatchPlanner,
    private readonly publisher: BatchEventPublisher,
    private readonly lanes: LaneQueue,
  ) {}

  /**
   * @returns the batch as it was created: pending, even when it starts at once
   * @throws AppError NO_SPACE before the database's disk is full
   */
  async execute(input: CreateBatch): Promise<BatchView> {
    const dialect = input.caller.dialect ?? 'native';
    const id = newBatchId(dialect);
    const warnings = new Warnings();
    input.warnings?.forEach((sentence) => warnings.add(sentence));
    const plan = this.planner.plan(input, id, { maxItems: MAX_ITEMS_PER_REQUEST, warnings });
    const { handler } = plan;
    // Limits that nobody keeps are not shown as if they were in effect.
    const resourceLimits = whyNotLimited(handler) ? null : changedLimits(null, input.options?.resourceLimits);
    const options = completeOptions({ ...input.options, resourceLimits }, dialect, {
      config: this.config,
      concurrency: handler ? handler.concurrency : 1,
      oneByOne: handler?.handler.slotsPerWorker !== undefined,
    });
    assertCaution(options);
    assertCanaryOfKnown(plan.starts && !plan.sealed ? 'open' : 'known', options);
    await this.space.assertSpace('database');
    const [ids] = await run<{ run_id: string; intake_id: string }>(this.database.pool, NEXT_IDS, []);
    const runId = ids!.run_id;
    const intake = this.newIntake(runId, ids!.intake_id, { options, warnings });
    try {
      const { added } = await intake.take(plan.source, 'refuse');
      const total = handler ? added : (input.totalItems ?? added);
      if ((input.totalItems ?? total) !== total) warnOfTotal(input, total, warnings);
      if (total === 0 && (plan.sealed || (handler && input.filters))) warnings.add(whyEmpty(input));
      warnOfIdle(input.options ?? {}, { options, handler, total: plan.sealed ? total : undefined }, { dialect, warnings });
      const batch = { id, runId, total, added, input, plan, options, warnings };
      const { view, events } = await this.database.transaction((connection) => this.insert(connection, batch, intake));
      const rung = plan.starts ? ringRun(this.lanes, { tenant: input.caller.tenant, run_id: runId, options }, added) : undefined;
      await Promise.all([this.publisher.publish(events), rung]);
      return view;
    } catch (error) {
      await intake.discard(this.database.pool);
      throw error;
    }
  }

  private newIntake(runId: string, intakeId: string, settings: { options: BatchOptions; warnings: Warnings }): Intake {
    const reserve = (_count: number, write: (connection: Connection, firstSeq: number) => Promise<void>): Promise<void> =>
      write(this.database.pool, intake.added);
    const assertSpace = (): Promise<void> => this.space.assertSpace('database');
    const intake = new Intake({ runId, ...settings, staged: true, lastWithAccept: true, assertSpace, reserve }, intakeId);
    return intake;
  }

  private async insert(connection: Connection, batch: NewBatch, intake: Intake) {
    const { input, plan, options } = batch;
    const { caller } = input;
    await run(connection, INSERT_BATCH, [
      batch.runId,
      batch.id,
      plan.sealed,
      batch.total,
      plan.handler ? batch.added : 0,
      rankOf(options),
      laneWidths(options),
      caller.tenant,
      caller.dialect ?? 'native',
      input.operation,
      input.name ?? null,
      input.description ?? null,
      input.filters ?? {},
      plan.parameters,
      options,
      !plan.handler,
      caller.subject ?? null,
      batch.warnings.list(),
    ]);
    await intake.accept(connection);
    if (!plan.handler && input.items) await expectExternalKeys(connection, batch.runId, expectedKeys(input.items));
    if (plan.starts) await setGoing(connection, batch.runId, plan.sealed);
    const { made, events } = await appendFirstEvents(connection, batch.id, plan.starts);
    const view = toBatchView(made);
    await commitClaim(connection, caller, CreateBatch, view);
    return { view, events };
  }
}

interface NewBatch {
  id: string;
  runId: string;
  total: number;
  added: number;
  input: CreateBatch;
  plan: BatchPlan;
  options: BatchOptions;
  warnings: Warnings;
}

/**
 * The documents' clients say how many items they expect, which is no condition.
 * @throws AppError INVALID_INPUT when a caller of the service's own interface did
 */
function warnOfTotal({ totalItems, caller }: CreateBatch, total: number, warnings: Warnings): void {
  const { dialect = 'native' } = caller;
  if (dialect === 'native') throw invalidField('totalItems', `is ${totalItems}, but the filters choose ${total} items; leave it out`);
  const name = requestPath(dialect, 'totalItems');
  warnings.add(`${name} is ${totalItems}, but the filters chose ${total} items; progress is counted on those`);
}

/** What was asked for and changes nothing is told in the caller's words. */
function warnOfIdle(
  given: BatchOptionsInput,
  readers: Omit<OptionReaders, 'nameOf'>,
  { dialect, warnings }: { dialect: Dialect; warnings: Warnings },
): void {
  const nameOf = (path: string): string => requestPath(dialect, `options.${path}`);
  for (const { path, why } of idleOptions(given, { ...readers, nameOf })) warnings.add(`${nameOf(path)} has no effect: ${why}`);
}

/** Why a batch that takes no more items has none. */
function whyEmpty({ items, source, filters }: CreateBatch): string {
  if (items) return 'there is nothing to do: the list of items is empty';
  if (source) return 'there is nothing to do: no items came';
  return filters ? 'there is nothing to do: the filters choose no items' : 'there is nothing to do: no items were chosen';
}
