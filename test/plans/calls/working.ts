import { CHUNK_STATE } from '../../../src/batches/entities/chunk.entity.js';
import { claimDueRetries } from '../../../src/batches/store/claim-due-retries.js';
import { claimWithinLimits, fitRoom } from '../../../src/batches/store/claim-within-limits.js';
import { insertMetrics } from '../../../src/batches/store/insert-metrics.js';
import { markSuspect } from '../../../src/batches/store/mark-suspect.js';
import { pauseRun } from '../../../src/batches/store/pause-run.js';
import { recordProgress } from '../../../src/batches/store/record-progress.js';
import { renewLeases } from '../../../src/batches/store/renew-leases.js';
import { selectBatchesOfRuns } from '../../../src/batches/store/select-batches-of-runs.js';
import { settleRun } from '../../../src/batches/store/settle-run.js';
import { surrenderLane } from '../../../src/batches/store/surrender-lane.js';
import { holdRun, putBackTokens, selectEmptyBuckets, takeTokens } from '../../../src/batches/store/take-tokens.js';
import { readCircuits } from '../../../src/breakers/store/read-circuits.js';
import { endProbe, renewProbe, takeProbe } from '../../../src/breakers/store/probe-circuit.js';
import { recordVerdicts } from '../../../src/breakers/store/record-verdicts.js';
import { reportWorker, signOffWorker } from '../../../src/waiting/store/workers.js';
import type { Engine } from '../../support/engine.js';
import { claimLane, fenceOf, flushLane, outcomeOf } from '../../support/lanes.js';
import { batchId, CAREFUL, ENDING, LARGE } from '../seed.js';

const LEASE_MS = 15_000;
const RUNS = [19_870, 19_890, 19_910, 19_920].map(String);

/** What a worker asks and writes while it works items. */
export async function working(engine: Engine): Promise<void> {
  await workALane(engine);
  await claimUnderLimits(engine);
  await spendTokens(engine);
  await tellOfProgress(engine);
  await endRuns(engine);
  await watchProvider(engine);
}

async function workALane({ database: { pool } }: Engine): Promise<void> {
  const claimed = (await claimLane(pool, String(LARGE), LEASE_MS))!;
  const lane = fenceOf(claimed);
  const { chunks } = await flushLane(pool, lane, { claim: 4 });
  const [first, ...others] = chunks;
  const outcomes = Array.from({ length: 4 }, (_, index) => outcomeOf(Number(first!.no) + index));
  const deferred = [
    JSON.stringify({ seq: Number(others[0]!.no), delay_ms: 1_000, attempt: 2, key: 'a', payload: null, error_kind: 'failed', error: 'no' }),
  ];
  const moved = chunks.map(({ no }) => ({ no, state: CHUNK_STATE.done, settled: [] }));
  await flushLane(pool, lane, { outcomes, deferred, moved, claim: 4 });
  await claimDueRetries(pool, lane, 500);
  await markSuspect(pool, lane, first!.no, 0);
  await renewLeases(pool, [{ ...lane, revision: 0 }], LEASE_MS);
}

async function claimUnderLimits({ database }: Engine): Promise<void> {
  const limits = { total: 100_000, ofTenant: () => 100_000, ofOperation: () => 100_000 };
  const { lane } = await claimWithinLimits(database, { runId: RUNS[0]!, leaseMs: LEASE_MS, slotted: [], chunks: 1 }, limits);
  await fitRoom(database, fenceOf(lane!), 1, limits);
  await surrenderLane(database, fenceOf(lane!));
  await pauseRun(database, RUNS[0]!, { kind: 'hanging-calls', reason: 'its calls hang' });
}

async function spendTokens({ database: { pool } }: Engine): Promise<void> {
  const buckets = [
    { scope: 'batch' as const, name: batchId(LARGE), perMinute: 60 },
    { scope: 'pool' as const, name: 'provider', perMinute: 600 },
  ];
  await takeTokens(pool, { tenant: 'acme', buckets, want: 10, unused: 0 });
  await putBackTokens(pool, RUNS[1]!, { tenant: 'acme', buckets, unused: 5 });
  await selectEmptyBuckets(pool, 'acme', buckets);
  await holdRun(pool, RUNS[1]!, 1);
}

async function tellOfProgress({ database }: Engine): Promise<void> {
  await database.transaction((connection) => recordProgress(connection, RUNS));
  await database.transaction(async (connection) => {
    const batches = await selectBatchesOfRuns(connection, RUNS);
    await insertMetrics(
      connection,
      'worker',
      [...batches.values()].map(({ view }) => ({ batchId: view.id, data: { throughput: 10 } })),
    );
  });
}

async function endRuns({ database }: Engine): Promise<void> {
  await settleRun(database, String(LARGE));
  await settleRun(database, String(CAREFUL));
  await settleRun(database, String(ENDING));
}

async function watchProvider({ database: { pool } }: Engine): Promise<void> {
  const circuit = { tenant: 'tenant-11', provider: 'openai' };
  const defaults = { failures: 5, openMs: 1_000 };
  const verdicts = { answered: true, failed: 1, lastError: 'no answer' };
  await readCircuits(pool, [circuit, { tenant: 'acme', provider: 'scans' }]);
  await recordVerdicts(pool, { tenant: 'tenant-13', provider: 'new' }, verdicts, defaults);
  const probe = { ...circuit, id: '00000000-0000-4000-8000-000000000000' };
  await takeProbe(pool, probe, LEASE_MS);
  await renewProbe(pool, probe, LEASE_MS);
  await endProbe(pool, probe, { verdict: 'answered' }, defaults);
  const worker = {
    id: '00000000-0000-4000-8000-000000000001',
    operations: ['noop'],
    full: [],
    hanging: [],
    fullTenants: [],
    lanes: 10,
    free: 5,
    noSpace: null,
  };
  await reportWorker(pool, worker);
  await signOffWorker(pool, worker.id);
}
