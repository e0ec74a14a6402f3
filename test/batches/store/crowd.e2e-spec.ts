import { appendFileSync } from 'node:fs';
import { deleteExpiredBatches } from '../../../src/batches/store/delete-batches.js';
import { foldEndedTotals } from '../../../src/batches/store/ended-totals.js';
import { findUnendedRuns, timeOutRuns } from '../../../src/batches/store/find-work.js';
import { discardAbandonedIntakes } from '../../../src/batches/store/insert-chunks.js';
import { insertMetrics } from '../../../src/batches/store/insert-metrics.js';
import { recordProgress } from '../../../src/batches/store/record-progress.js';
import { settleRun } from '../../../src/batches/store/settle-run.js';
import { deleteIdleBuckets } from '../../../src/batches/store/take-tokens.js';
import { wakeItems } from '../../../src/breakers/store/wake-items.js';
import { Config } from '../../../src/config.js';
import { conflictsMet } from '../../../src/database/conflicts.js';
import { forgetKeys } from '../../../src/idempotency/store/claim-key.js';
import { FileCleaner } from '../../../src/records/uploads/file-cleaner.js';
import { reportStuckRun } from '../../../src/waiting/report-stuck-run.js';
import { findStuckRuns } from '../../../src/waiting/store/find-stuck-runs.js';
import { Engine } from '../../support/engine.js';
import { assertInvariants } from '../../support/invariants.js';
import { PAIRS } from '../../support/race.js';
import { COMMANDS, currentOf, driveToEnd, WORK } from '../../support/race-moves.js';
import { hold, type Racer, recordAll, SCENES } from '../../support/race-scenes.js';
import { SeededRandom } from '../../support/seeded-random.js';

/** Several processes' worth of callers, workers and sweeps, at the batches of one tenant. Without a worker of its own. */
let engine: Engine;
let random: SeededRandom;
const crowd: Racer[] = [];

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', DATABASE_POOL_SIZE: '40' })));
afterAll(() => engine.close());

const BATCHES = 30;
const SIDE_BY_SIDE = 10;
const MOVES = PAIRS < 100 ? 800 : 20 * PAIRS;
/** After so many moves all stand still, and the laws are looked at. */
const BLOCK = 400;
const SEED = Number(process.env.CROWD_SEED ?? 20261201);

const pool = () => engine.database.pool;
const some = (count: number): Racer[] => Array.from({ length: count }, () => random.pick(crowd));

/** What is done to many batches at once, in whatever order they come. */
const WIDE: Record<string, () => Promise<unknown>> = {
  'a sweep cleans up': () => engine.database.transaction((connection) => deleteExpiredBatches(connection, { olderThanMs: 0 })),
  'a sweep ends what is over': async () => {
    for (const runId of await findUnendedRuns(pool())) await settleRun(engine.database, runId);
  },
  'a sweep times out': () => timeOutRuns(pool()),
  'a sweep tells of the stuck': async () => {
    const config = Config.from({ NODE_ENV: 'test', STUCK_AFTER_MS: '1000' });
    for (const runId of await findStuckRuns(pool(), 0)) await reportStuckRun(engine.database, config, runId);
  },
  'a sweep adds totals up': () => foldEndedTotals(pool()),
  'a sweep removes what is old': async () => {
    await discardAbandonedIntakes(pool());
    await deleteIdleBuckets(pool());
    await forgetKeys(pool());
  },
  'files are cleaned up': () => engine.service.app.get(FileCleaner).clean(),
  'progress of many is told': () => {
    const runIds = some(20).map(({ runId }) => runId);
    return engine.database.transaction((connection) => recordProgress(connection, runIds));
  },
  'figures of many are sampled': () => {
    const ids = [...new Set(some(20).map(({ id }) => id))];
    return engine.database.transaction((connection) =>
      insertMetrics(
        connection,
        'worker',
        ids.map((batchId) => ({ batchId, data: { n: 1 } })),
      ),
    );
  },
  'a provider is back': () => wakeItems(pool(), 'acme', 'provider'),
};

/** Where a worker may die: what it did stays, and nobody does what it would have done next. */
const DEATHS: Record<string, (racer: Racer) => Promise<unknown>> = {
  'a worker dies after its last results': async (racer) => {
    const { held } = racer;
    racer.held = undefined;
    if (held) await recordAll(engine, held);
  },
  'a worker dies with its items': async (racer) => {
    const held = await hold(engine, racer);
    if (held)
      await engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms' WHERE run_id = $1 AND no = $2 AND fence = $3`, [
        racer.runId,
        held.lane.no,
        held.lane.fence,
      ]);
  },
};

const NAMES = [COMMANDS, WORK, WIDE, DEATHS].flatMap((moves) => Object.keys(moves));

async function move(name: string): Promise<unknown> {
  const racer = random.pick(crowd);
  if (name in WIDE) return WIDE[name]!();
  if (name in DEATHS) return DEATHS[name]!(racer);
  return (COMMANDS[name] ?? WORK[name]!).do(engine, racer);
}

/** A new batch, in the place of one that is gone or has had its time. */
async function refill(): Promise<void> {
  const scenes = Object.values(SCENES);
  while (crowd.length < BATCHES) {
    const scene = random.pick(scenes);
    const { id } = await scene.original(engine);
    const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
    // A clean-up of everything may have been quicker.
    if (!row) continue;
    const racer: Racer = { id, runId: row.run_id, caller: { tenant: 'acme' } };
    await scene.prepare?.(engine, racer);
    crowd.push(racer);
  }
}

/** Sweeps alone end everything of which nothing is left, whatever died; and whatever is left can be worked to its end. */
async function settleAll(): Promise<string[]> {
  const wrong: string[] = [];
  await WIDE['a sweep times out']!();
  await WIDE['a sweep ends what is over']!();
  for (const racer of crowd) {
    const current = await currentOf(engine, racer);
    if (current?.through) wrong.push(`every item of ${racer.id} has an outcome, and it does not end: ${JSON.stringify(current)}`);
    await driveToEnd(engine, racer).catch((error: Error) => wrong.push(`${racer.id}: ${error.message}`));
  }
  await assertInvariants(engine.database);
  return wrong;
}

test(
  `${MOVES} moves of callers, workers and sweeps at the same batches break no law, answer no 5xx, and wait for each other nowhere`,
  async () => {
    random = new SeededRandom(SEED);
    const violations: string[] = [];
    for (let left = MOVES; left > 0; left -= BLOCK) {
      crowd.splice(0);
      await refill();
      let block = Math.min(left, BLOCK);
      const stream = async (): Promise<void> => {
        for (; block > 0; block -= 1) {
          const name = random.pick(NAMES);
          await move(name).catch((error: Error) => violations.push(`${name}: ${error.message}`));
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, stream));
      violations.push(...(await settleAll()));
      if (violations.length > 0) break;
    }
    const { deadlocks, others } = conflictsMet();
    const file = process.env.RACE_REPORT;
    if (file) appendFileSync(file, `${JSON.stringify({ crowd: MOVES, seed: SEED, violations: violations.length, deadlocks, others })}\n`);
    expect(violations).toEqual([]);
    expect(deadlocks).toBe(0);
  },
  MOVES * 300 + 60_000,
);
