import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { CHUNK_STATE } from '../../src/batches/entities/chunk.entity.js';
import type { ItemSource, SourceItem } from '../../src/batches/item-source.js';
import { conflictsMet } from '../../src/database/conflicts.js';
import { copyBatch } from '../support/copies.js';
import { Engine, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';
import { claimLane, endRun, fenceOf, flushLane, outcomeOf } from '../support/lanes.js';
import { COMMANDS, driveToEnd, WORK } from '../support/race-moves.js';
import { type Racer, SCENES } from '../support/race-scenes.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', DATABASE_POOL_SIZE: '30' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const PATIENCE_MS = 120_000;

/**
 * Somebody else's transaction. Of two that wait for each other PostgreSQL gives that one up which finds it out: the one that has waited for
 * a second first, unless the other comes too late for that.
 */
class Opponent {
  private constructor(private readonly client: Client) {}

  static async holding(sql: string, values: unknown[]): Promise<Opponent> {
    const client = new Client({ connectionString: engine.service.databaseUrl });
    await client.connect();
    await client.query('BEGIN');
    const { rowCount } = await client.query(sql, values);
    expect(rowCount).toBeGreaterThan(0);
    return new Opponent(client);
  }

  /** Waits until somebody waits for what it holds, wants what that one holds, and goes when it has had it, or was given up itself. */
  async crosses(sql: string, values: unknown[]): Promise<void> {
    await this.isWaitedFor();
    await this.client.query(sql, values).catch((error: unknown) => expect(error).toMatchObject({ code: '40P01' }));
    await this.letGo();
  }

  async isWaitedFor(): Promise<void> {
    const waits = 'SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))';
    await eventually(
      // Within a transaction the list of sessions is otherwise read once.
      () => this.client.query('SELECT pg_stat_clear_snapshot()').then(() => this.client.query(waits)),
      ({ rowCount }) => rowCount! > 0,
    );
  }

  async letGo(): Promise<void> {
    await this.client.query('ROLLBACK');
    await this.client.end();
  }
}

/** Again until it was the service's own statement that PostgreSQL gave up. @param round checks that it was done all the same */
async function untilGivenUp(round: () => Promise<void>): Promise<void> {
  const { deadlocks } = conflictsMet();
  for (let n = 0; n < 20 && conflictsMet().deadlocks === deadlocks; n += 1) await round();
  expect(conflictsMet().deadlocks).toBe(deadlocks + 1);
}

const BATCH = 'SELECT FROM batch WHERE id = $1 FOR UPDATE';
const RUN = 'SELECT FROM run WHERE id = $1 FOR UPDATE';

test.each([
  ['start', 'waits to be started'],
  ['delete', 'waits to be started'],
  ['pause', 'runs, with all of its items waiting'],
  ['resume', 'is paused, with its last item in flight'],
  ['cancel', 'runs, with all of its items waiting'],
  ['new concurrency', 'runs, with all of its items waiting'],
  ['a result', 'waits for its last result from outside'],
  ['retry of what failed', 'has ended, with failed items'],
  ['restore', 'has ended, with failed items'],
])(
  'the command %s that PostgreSQL gives up in a deadlock is done all the same',
  async (move, sceneName) => {
    const scene = SCENES[sceneName]!;
    const { id } = await scene.original(engine);
    await untilGivenUp(async () => {
      const [racer] = (await copyBatch(engine, id, 1)) as [Racer];
      await scene.prepare?.(engine, racer);
      const opponent = await Opponent.holding(BATCH, [racer.id]);
      const [done] = await Promise.all([COMMANDS[move]!.do(engine, racer), opponent.crosses(RUN, [racer.runId])]);
      expect(done).toBe(true);
      await driveToEnd(engine, racer);
    });
  },
  PATIENCE_MS,
);

test(
  'so is a create, with each of its items once',
  () =>
    untilGivenUp(async () => {
      // The row of its idempotency key is what it wants last; what it has made by then nobody else can make.
      const once = { key: randomUUID(), token: randomUUID() };
      await engine.sql(
        `INSERT INTO idempotency_key (tenant, key, hash, token, claimed_until) VALUES ('acme', $1, '', $2, clock_timestamp() + interval '1 hour')`,
        [once.key, once.token],
      );
      const opponent = await Opponent.holding('SELECT FROM idempotency_key WHERE key = $1 FOR UPDATE', [once.key]);
      const [{ id }] = await Promise.all([
        engine.call(CreateBatch, { operation: 'noop', items: keys(6_000) }, { tenant: 'acme', once }),
        opponent.crosses('INSERT INTO lane (run_id, no, width) SELECT last_value, 0, 1 FROM run_id', []),
      ]);
      expect(await engine.get(id)).toMatchObject({ status: 'running', counts: { total: 6_000 } });
      const chunks = 'SELECT sum(size)::int AS items, max(state) AS state FROM chunk c JOIN batch b ON b.run_id = c.run_id WHERE b.id = $1';
      expect(await engine.sql(chunks, [id])).toEqual([{ items: 6_000, state: 0 }]);
    }),
  PATIENCE_MS,
);

test(
  'a flush that PostgreSQL gives up in a deadlock is written all the same, once',
  () =>
    untilGivenUp(async () => {
      const { id } = await engine.create({ items: keys(2), options: { batchSize: 2 } });
      const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
      const runId = row!.run_id;
      const lane = (await claimLane(engine.database.pool, runId, 600_000, 1))!;
      const opponent = await Opponent.holding('SELECT FROM chunk WHERE run_id = $1 FOR UPDATE', [runId]);
      const flush = flushLane(engine.database.pool, fenceOf(lane), {
        release: true,
        counts: { succeeded: 2, failed: 0, skipped: 0 },
        outcomes: [outcomeOf(0), outcomeOf(1)],
        moved: [{ no: '0', state: CHUNK_STATE.done, settled: [] }],
      });
      await Promise.all([flush, opponent.crosses('SELECT FROM lane WHERE run_id = $1 FOR UPDATE', [runId])]);
      await endRun(engine.database, runId);
      expect(await engine.get(id)).toMatchObject({ status: 'completed', counts: { succeeded: 2 } });
    }),
  PATIENCE_MS,
);

describe('rows of a batch are locked in one order', () => {
  const ORDER = ['lane', 'chunk', 'chunk_items'];

  test(
    'by whatever anybody does',
    async () => {
      await engine.sql('CREATE TABLE touched (id bigint GENERATED ALWAYS AS IDENTITY, tx xid8, name text)');
      await engine.sql(`
      CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO touched (tx, name) VALUES (pg_current_xact_id(), TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END $$`);
      for (const table of ORDER)
        await engine.sql(`CREATE TRIGGER touch BEFORE UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION touch()`);
      for (const [name, scene] of Object.entries(SCENES)) {
        const { id } = await scene.original(engine);
        for (const [move, { do: deed }] of Object.entries({ ...COMMANDS, ...WORK })) {
          const [racer] = (await copyBatch(engine, id, 1)) as [Racer];
          await scene.prepare?.(engine, racer);
          await engine.sql('TRUNCATE touched');
          await deed(engine, racer);
          const rows = await engine.sql<{ names: string[] }>('SELECT array_agg(name ORDER BY id) AS names FROM touched GROUP BY tx');
          for (const { names } of rows) {
            const inOrder = [...names].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
            expect({ name, move, names }).toEqual({ name, move, names: inOrder });
          }
        }
      }
      for (const table of ORDER) await engine.sql(`DROP TRIGGER touch ON ${table}`);
    },
    PATIENCE_MS,
  );

  test('so that a stream of items breaks off while its batch is deleted, and neither waits for the other', async () => {
    const { id } = await engine.create({ open: true, options: { batchSize: 100 } });
    const [staged, gate] = [new Gate(), new Gate()];
    const slice = (from: number) => Array.from({ length: 5_000 }, (_, n): SourceItem => ({ line: from + n, text: '{}', key: undefined }));
    async function* breaksOff(): ItemSource {
      yield slice(1);
      staged.open();
      await gate.opened;
      throw new Error('the stream broke off');
    }
    const { deadlocks } = conflictsMet();
    const adding = engine.call(AddItems, { batchId: id, source: breaksOff() }).catch((error: Error) => error.message);
    await staged.opened;
    const middle = `SELECT FROM chunk_items i JOIN batch b ON b.run_id = i.run_id WHERE b.id = $1 AND i.no = 2500 FOR UPDATE OF i`;
    const opponent = await Opponent.holding(middle, [id]);
    const deleting = engine.call(DeleteBatch, { batchId: id });
    await opponent.isWaitedFor();
    gate.open();
    await eventually(
      () => engine.sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`),
      (waiting) => waiting.length === 2,
    );
    await opponent.letGo();
    expect(await Promise.all([adding, deleting])).toEqual(['the stream broke off', { deleted: true }]);
    expect(conflictsMet().deadlocks).toBe(deadlocks);
    expect(await engine.sql('SELECT FROM chunk WHERE state = 3')).toEqual([]);
  });
});
