import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsBoolean, IsIn, IsOptional, IsString } from 'class-validator';
import { AppError, unprocessable } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { FreeSpace } from '../../database/free-space.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import { commitClaim } from '../../idempotency/store/commit-claim.js';
import { ItemHandlerRegistry } from '../../operations/item-handler.registry.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import { assertMove } from '../batch.state.js';
import { IntakeReport } from '../batch.view.js';
import { Intake } from '../intake.js';
import { type ItemSource, itemsTakenBy } from '../item-source.js';
import { ringRun } from '../ring-run.js';
import { appendAudit } from '../store/append-audit.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import type { BatchRow } from '../store/select-batches.js';
import { Warnings } from '../warnings.js';

/**
 * Adds items to an open batch, from a list or a stream of any length; memory does not grow with it. It may be running.
 * `refuse` adds all or nothing; `skip` adds what is right at once, slice by slice, and reports the rest by line.
 */
export class AddItems extends Command<AddedItems> {
  @IsString() batchId: string;
  @Opaque() source: ItemSource;
  @IsOptional() @IsIn(['refuse', 'skip']) onInvalid?: 'refuse' | 'skip';
  /** No more items will come. */
  @IsOptional() @IsBoolean() seal?: boolean;

  caller: Caller;
}

export class AddedItems extends IntakeReport {
  /** Items of the batch now. */
  total: number;
  /** What the sender should know of them. */
  warnings: string[];
}

const NEXT_INTAKE: Statement = { name: 'next-intake-id', text: `SELECT nextval('intake_id') AS id` };

const RESERVE: Statement = {
  name: 'reserve-positions',
  text: `
    UPDATE run SET next_seq = next_seq + $2, total = total + $3
    WHERE id = $1 AND NOT sealed AND status IN ('pending', 'running', 'paused')
    RETURNING next_seq - $2 AS first_seq`,
};

const ADD_TO_TOTAL: Statement = {
  name: 'add-to-total',
  text: `UPDATE run SET total = total + $2, sealed = sealed OR $3 WHERE id = $1 RETURNING total`,
};

@CommandHandler(AddItems)
export class AddItemsHandler implements ICommandHandler<AddItems> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
    private readonly lanes: LaneQueue,
    private readonly registry: ItemHandlerRegistry,
  ) {}

  async execute(input: AddItems): Promise<AddedItems> {
    const batch = await selectBatch(this.database.pool, input.caller.tenant, input.batchId);
    assertOpen(batch);
    const onInvalid = input.onInvalid ?? 'refuse';
    if (onInvalid === 'skip' && input.caller.once) throw notAllAtOnce();
    await this.space.assertSpace('database');
    const [next] = await run<{ id: string }>(this.database.pool, NEXT_INTAKE, []);
    const warnings = new Warnings();
    const intake = this.newIntake(batch, next!.id, { staged: onInvalid === 'refuse', warnings });
    try {
      const report = await intake.take(this.sourceOf(batch, input), onInvalid);
      if (report.added + report.skipped === 0) warnings.add('nothing was added: no items came');
      const added = await this.accept(input, intake, { ...report, warnings: warnings.list() });
      await ringRun(this.lanes, batch);
      return added;
    } catch (error) {
      await intake.discard(this.database.pool);
      // Why it broke off must be told, also when this cannot be.
      if (onInvalid === 'skip' && intake.added > 0) await this.tellOfPart(input, intake.added).catch(() => undefined);
      throw error;
    }
  }

  private sourceOf({ operation }: BatchRow, { source }: AddItems): ItemSource {
    const registered = this.registry.get(operation);
    return registered ? itemsTakenBy(registered.handler, source) : source;
  }

  private newIntake(batch: BatchRow, id: string, { staged, warnings }: { staged: boolean; warnings: Warnings }): Intake {
    const reserve = async (count: number, write: (connection: Connection, firstSeq: number) => Promise<void>): Promise<void> => {
      await this.database.transaction(async (connection) => {
        const [reserved] = await run<{ first_seq: number }>(connection, RESERVE, [batch.run_id, count, staged ? 0 : count]);
        if (!reserved) {
          assertOpen(await selectBatch(connection, batch.tenant, batch.id));
          throw new AppError('CONFLICT', `batch ${batch.id} changed meanwhile; try again`);
        }
        await write(connection, reserved.first_seq);
      });
      if (!staged) await ringRun(this.lanes, batch);
    };
    const assertSpace = (): Promise<void> => this.space.assertSpace('database');
    return new Intake({ runId: batch.run_id, options: batch.options, staged, warnings, assertSpace, reserve }, id);
  }

  /** What was added before a request broke off stays. The lock keeps the batch from being deleted without its entry. */
  private async tellOfPart(input: AddItems, items: number): Promise<void> {
    await this.database.transaction(async (connection) => {
      await lockBatch(connection, input.caller.tenant, input.batchId);
      await tell(connection, input, items);
    });
  }

  private accept(input: AddItems, intake: Intake, report: Omit<AddedItems, 'total'>): Promise<AddedItems> {
    const staged = input.onInvalid === 'skip' ? 0 : report.added;
    return this.database.transaction(async (connection) => {
      assertOpen(await lockBatch(connection, input.caller.tenant, input.batchId));
      await intake.accept(connection);
      const batch = await selectBatch(connection, input.caller.tenant, input.batchId);
      const [run_] = await run<{ total: number }>(connection, ADD_TO_TOTAL, [batch.run_id, staged, input.seal ?? false]);
      const added = { ...report, total: run_!.total };
      await tell(connection, input, report.added);
      if (input.seal) await appendAudit(connection, { ...ofCaller(input), action: 'seal', details: { items: added.total } });
      await commitClaim(connection, input.caller, AddItems, added);
      return added;
    });
  }
}

function ofCaller({ batchId, caller }: AddItems) {
  return { batchId, by: caller.subject ?? null };
}

async function tell(connection: Connection, input: AddItems, items: number): Promise<void> {
  if (items > 0) await appendAudit(connection, { ...ofCaller(input), action: 'add items', details: { items } });
}

/** They cannot be taken back when the request breaks off, and so not be added once. */
function notAllAtOnce(): AppError {
  return unprocessable(
    'Idempotency-Key',
    'items that skip wrong lines are added slice by slice, which no key can make one step of; send onInvalid=refuse, or no key',
  );
}

function assertOpen(batch: BatchRow): void {
  assertMove('add items to', batch.status, batch.id);
  if (batch.external) throw new AppError('CONFLICT', `batch ${batch.id} takes results from outside, not items`);
  if (batch.sealed) throw new AppError('CONFLICT', `batch ${batch.id} is sealed: its items are complete; create a new batch for more`);
}
