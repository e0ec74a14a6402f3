import { setTimeout as delay } from 'node:timers/promises';
import type { BatchView } from '../../../src/batches/batch.view.js';
import type { Waiting } from '../../../src/waiting/waiting.view.js';
import { Api, type Problem } from '../../contracts/api.js';
import { START_MS } from '../../support/cluster.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import { SmallDisk } from '../../support/small-disk.js';
import { type Trial, trial } from '../../support/trial.js';
import { Workload } from '../../support/workload.js';

type Reply<Data> = { data: Data };

const DISK_MB = 400;
const RESERVE_MB = 100;
const BACK_MS = 60_000;
const FULL = /^no space left in DATA_DIR/;

let disk: SmallDisk;
let api: Api;

beforeAll(async () => {
  disk = await SmallDisk.start(DISK_MB, RESERVE_MB, { SWEEP_MS: '500', LEASE_MS: '3000', CREATE_LIMIT_PER_MINUTE: '1000000' });
  api = new Api(disk.service.url);
  await installAudit(disk);
}, START_MS);
afterAll(() => disk.close(), 60_000);

trial(
  'F28',
  'the disk fills up, to the reserve and to its last byte, and is emptied again',
  { sizes: { short: 2, medium: 8, full: 40 }, reExecutes: false },
  async (trial, times) => {
    const workload = new Workload(disk, trial, { atOnce: 6, items: 200, durationMs: 20, options: { concurrency: 4, batchSize: 10 } });
    const seen: string[] = [];
    let ended = 0;
    while (trial.hasMore(times)) {
      await eventually(
        () => disk.log.inFlight,
        (inFlight) => inFlight > 0,
        BACK_MS,
      );
      const toTheLastByte = trial.injected % 2 === 1 && !disk.isShared;
      trial.inject(disk.log.inFlight > 0);
      disk.fill(toTheLastByte ? 0 : disk.reserveMb / 2);
      if (toTheLastByte) ended += await useFullDisk(trial, seen);
      else await standStill();
      disk.empty();
      const emptiedAt = Date.now();
      await eventually(() => disk.client().create({ operation: 'noop', items: ['a'] }), undefined, BACK_MS);
      trial.recovered(Date.now() - emptiedAt);
      await eventually(() => assertInvariants(disk, { audited: true }), undefined, BACK_MS);
    }
    await workload.finish();
    const { refusals, unknown, acknowledged, failures } = workload.submitter;
    expect(failures).toEqual([]);
    expect([...refusals.keys(), ...seen].map(String).filter((status) => !['503', '507'].includes(status))).toEqual([]);
    expect(unknown).toBe(0);
    trial.notes.push(
      `${acknowledged.length} creates acknowledged, ${refusals.get(507) ?? 0} answered 507, ${refusals.get(503) ?? 0} answered 503, none any other error`,
      `PostgreSQL ended ${ended} times`,
    );
  },
);

const ready = () => api.get<Problem & { details: { space: { status: string; database: { missingMb: number } } } }>('/health/ready');

/** Below the reserve: nothing begins, everything says why, and what is there can be read. */
async function standStill(): Promise<void> {
  const { status, body } = await eventually(ready, (answer) => answer.body.details.space.status === 'degraded', BACK_MS);
  expect(status).toBe(200);
  expect(body.details.space.database.missingMb).toBeGreaterThan(0);
  await eventually(
    () => disk.log.inFlight,
    (inFlight) => inFlight === 0,
    BACK_MS,
  );
  const { data: batches } = (await api.get<Reply<BatchView[]>>('/api/batches?status=running')).body;
  for (const { id } of batches) await eventually(() => assertToldOf(id));
  const upload = await uploadFile();
  expect([upload.status, upload.message]).toEqual([507, expect.stringMatching(FULL)]);
  // It stays so.
  await delay(2_000);
  expect(disk.log.inFlight).toBe(0);
}

/** A batch with items that wait says what they wait for; one whose last items ran has ended, and its client has deleted it. */
async function assertToldOf(id: string): Promise<void> {
  const waiting = await api.get<Reply<Waiting>>(`/api/batches/${id}/waiting`);
  const batch = await api.get<Reply<BatchView & { reason: string }>>(`/api/batches/${id}`);
  if (waiting.status === 404 || batch.status === 404 || waiting.body.data.waiting === 0) return;
  expect(waiting.body.data.gates.map(({ gate }) => gate)).toContain('no-space');
  expect(batch.body.data.reason).toMatch(FULL);
}

/** @returns how often PostgreSQL ended meanwhile */
async function useFullDisk(trial: Trial, seen: string[]): Promise<number> {
  const until = Date.now() + trial.random.between(2_000, 6_000);
  const ends = (): number => disk.service.output().split('PostgreSQL ended unexpectedly').length - 1;
  const before = ends();
  const filled = disk.exhaustLog();
  while (Date.now() < until) {
    seen.push(String((await uploadFile()).status));
    await delay(100);
  }
  await filled;
  return ends() - before;
}

async function uploadFile(): Promise<{ status: number; message: string }> {
  const form = new FormData();
  form.append('file', new Blob(['x'.repeat(100_000)]), 'a.txt');
  const answer = await fetch(`${disk.service.url}/api/files`, { method: 'POST', body: form });
  return { status: answer.status, message: ((await answer.json()) as Problem).message };
}
