import type { Type } from '@nestjs/common';
import { mayMove, RUN_STATUSES, type RunMove, type RunStatus } from '../../src/batches/batch.state.js';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { EditItem } from '../../src/batches/commands/edit-item.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { SealBatch } from '../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { timeOutRuns } from '../../src/batches/store/find-work.js';
import type { Procedure } from '../../src/common/procedure.js';
import { Engine } from '../support/engine.js';
import { claimLane, endRun } from '../support/lanes.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api' })));
afterAll(() => engine.close());

const COMMANDS: Record<RunMove, { type: Type<Procedure>; input?: () => object }> = {
  start: { type: StartBatch },
  pause: { type: PauseBatch },
  resume: { type: ResumeBatch },
  cancel: { type: CancelBatch },
  seal: { type: SealBatch },
  delete: { type: DeleteBatch },
  'add items to': { type: AddItems, input: () => ({ source: itemsFromArray([{}]) }) },
  'record results of': { type: RecordExternalResult, input: () => ({ key: 'a', success: true }) },
  'retry items of': { type: RetryItems },
  'edit items of': { type: EditItem, input: () => ({ seq: 0, payload: {} }) },
  'change settings of': { type: UpdateBatch, input: () => ({ options: { timeout: 4_321 } }) },
};

const created = (start: boolean) => engine.create({ items: ['a', 'b'], start });
const external = () => engine.create({ operation: 'export', external: true, totalItems: 1 });
const runIdOf = async (id: string) => (await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]))[0]!.run_id;

/** A batch in each of the states. */
const IN_STATE: Record<RunStatus, () => Promise<{ id: string }>> = {
  pending: () => created(false),
  running: () => created(true),
  paused: () => created(true).then(({ id }) => engine.call(PauseBatch, { batchId: id })),
  stopping: async () => {
    const { id } = await created(true);
    await claimLane(engine.database.pool, await runIdOf(id), 600_000);
    return engine.call(CancelBatch, { batchId: id });
  },
  completed: () => external().then(({ id }) => engine.call(RecordExternalResult, { batchId: id, key: 'a', success: true })),
  failed: () => external().then(({ id }) => engine.call(RecordExternalResult, { batchId: id, key: 'a', success: false })),
  cancelled: () => created(true).then(({ id }) => engine.call(CancelBatch, { batchId: id })),
  timed_out: async () => {
    const { id } = await created(true);
    await engine.sql(`UPDATE run SET deadline_at = '-infinity' WHERE batch_id = $1`, [id]);
    await timeOutRuns(engine.database.pool);
    await endRun(engine.database, await runIdOf(id));
    return { id };
  },
};

/** Every row of the batch. */
async function everything(id: string): Promise<unknown> {
  const [rows] = await engine.sql(
    `SELECT to_json(b) AS batch, (SELECT json_agg(r ORDER BY no) FROM run r WHERE batch_id = b.id) AS runs,
       (SELECT json_agg(e ORDER BY seq) FROM batch_event e WHERE batch_id = b.id) AS events,
       (SELECT json_agg(l ORDER BY no) FROM lane l WHERE run_id = b.run_id) AS lanes,
       (SELECT json_agg(c ORDER BY no) FROM chunk c WHERE run_id = b.run_id) AS chunks,
       (SELECT json_agg(o ORDER BY seq) FROM outcome o WHERE run_id = b.run_id) AS outcomes
     FROM batch b WHERE id = $1`,
    [id],
  );
  return rows;
}

const REFUSED = RUN_STATUSES.flatMap((status) =>
  (Object.keys(COMMANDS) as RunMove[]).filter((move) => !mayMove(move, status)).map((move) => [move, status] as const),
);

test.each(REFUSED)('you cannot %s a batch that is %s, and trying changes no row', async (move, status) => {
  const { id } = await IN_STATE[status]();
  const before = await everything(id);
  expect(before).toMatchObject({ runs: [{ status }] });
  const { type, input } = COMMANDS[move];
  const message = expect.stringContaining(`batch ${id} is ${status}; you can ${move} only`);
  await expect(engine.call(type, { batchId: id, ...input?.() } as never)).rejects.toMatchObject({ code: 'CONFLICT', message });
  expect(await everything(id)).toEqual(before);
  await assertInvariants(engine.database);
});
