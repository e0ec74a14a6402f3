import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import { eventually } from './eventually.js';
import { COLLECTION, LONG, type OptionTrial, type Payload } from './option-trial.js';

/** An option with a value that is not its default, and how it is seen to do something. */
export interface OptionEffect {
  value: BatchOptionsInput;
  seen: (trial: OptionTrial, value: BatchOptionsInput) => Promise<unknown>;
}

const HOUR_MS = 3_600_000;
const FAILS_ONCE: Payload = { fail: 'retryable', times: 1 };
/** One item after the other, each told of before the next begins. */
const SINGLE = { concurrency: 1, batchSize: 1 };

/** An entry for each option, and for each part of one, by its path. */
export const OPTION_EFFECTS: Record<string, OptionEffect> = {
  batchSize: {
    value: { batchSize: 1 },
    seen: async (trial, value) =>
      trial.finds(
        await trial.run({ ...value, concurrency: 1 }, [{}, {}, {}]),
        'SELECT FROM chunk WHERE run_id = $1 AND state = 2 HAVING count(*) = 3',
      ),
  },
  concurrency: { value: { concurrency: 12 }, seen: (trial, value) => runs(trial, value, 12) },
  retryAttempts: {
    value: { retryAttempts: 0 },
    seen: async (trial, value) => {
      const id = await trial.run(value, [{ fail: 'retryable' }]);
      expect(await trial.outcomes(id)).toMatchObject([{ status: 'failed', attempts: 1 }]);
      // A job that has used all of its tries is not tried again by itself.
      expect((await trial.api.post(`/api/batches/jobs/${id}:1/retry`)).status).toBe(409);
    },
  },
  retryBackoff: {
    value: { retryBackoff: 'none' },
    seen: async (trial, value) => succeeds(trial, await trial.run({ ...value, retryDelay: HOUR_MS }, [FAILS_ONCE])),
  },
  retryDelay: {
    value: { retryDelay: 60_000 },
    seen: async (trial, value) => {
      const until = await trial.shutBy(await trial.run(value, [FAILS_ONCE]), 'retry');
      expect(until - Date.now()).toBeGreaterThan(15_000);
    },
  },
  retryMaxDelay: {
    value: { retryMaxDelay: 1 },
    seen: async (trial, value) => succeeds(trial, await trial.run({ ...value, retryDelay: HOUR_MS }, [FAILS_ONCE])),
  },
  retryJitter: {
    value: { retryJitter: false },
    seen: async (trial, value) => {
      const id = await trial.run({ ...value, retryDelay: 60_000 }, Array<Payload>(20).fill(FAILS_ONCE));
      await trial.finds(id, `SELECT FROM retry WHERE run_id = $1 HAVING count(*) = 20 AND min(due_at - failed_at) > interval '59 s'`);
    },
  },
  timeout: { value: { timeout: 50 }, seen: (trial, value) => timesOut(trial, { ...value, retryAttempts: 0 }) },
  batchTimeout: {
    value: { batchTimeout: 300 },
    seen: async (trial, value) => expect(await trial.ended(await trial.run(value, [{}, LONG]))).toMatchObject({ status: 'timed_out' }),
  },
  retryTimeouts: {
    value: { retryTimeouts: false },
    seen: (trial, value) => timesOut(trial, { ...value, timeout: 50, retryDelay: HOUR_MS, retryMaxDelay: HOUR_MS }),
  },
  priority: {
    value: { priority: 'critical' },
    seen: async (trial, value) =>
      trial.finds(
        await trial.run(value, [LONG]),
        'SELECT FROM run r WHERE id = $1 AND rank = 1 AND EXISTS (SELECT FROM lane WHERE run_id = r.id AND fence > 0)',
      ),
  },
  rateLimitPerMinute: { value: { rateLimitPerMinute: 1 }, seen: isHeldByRate },
  'rateLimitPool.name': { value: { rateLimitPool: { name: 'named', perMinute: 1 } }, seen: isHeldByPool },
  'rateLimitPool.perMinute': { value: { rateLimitPool: { name: 'slow', perMinute: 1 } }, seen: isHeldByRate },
  'failureThreshold.count': { value: { failureThreshold: { count: 1 } }, seen: isPausedByFailure },
  'failureThreshold.percent': { value: { failureThreshold: { percent: 50, minItems: 1 } }, seen: isPausedByFailure },
  'failureThreshold.minItems': { value: { failureThreshold: { percent: 50, minItems: 1 } }, seen: isPausedByFailure },
  'failureThreshold.action': {
    value: { failureThreshold: { count: 1, action: 'fail' } },
    seen: async (trial, value) => {
      const id = await trial.run({ ...value, ...SINGLE }, [{ fail: 'permanent' }, LONG, LONG]);
      await trial.until(id, ({ status }) => status === 'failed');
    },
  },
  'canary.items': { value: { canary: { items: 1, then: 'confirm' } }, seen: (trial, value) => isPausedAfter(trial, value, 1) },
  'canary.percent': { value: { canary: { percent: 34, then: 'confirm' } }, seen: (trial, value) => isPausedAfter(trial, value, 2) },
  'canary.then': { value: { canary: { items: 1, then: 'confirm' } }, seen: (trial, value) => isPausedAfter(trial, value, 1) },
  'canary.maxFailedPercent': {
    value: { canary: { items: 1, maxFailedPercent: 100 } },
    seen: async (trial, value) => trial.ended(await trial.run(value, [{ fail: 'permanent' }, {}, {}])),
  },
  'rampUp.from': { value: { rampUp: { from: 2, overMs: HOUR_MS } }, seen: (trial, value) => ramps(trial, value, 2) },
  'rampUp.overMs': { value: { rampUp: { overMs: HOUR_MS } }, seen: (trial, value) => ramps(trial, value, 1) },
  notifyOnStart: { value: { notifyOnStart: true }, seen: async (trial, value) => trial.notified(await trial.run(value, [{}]), 'started') },
  notifyOnComplete: {
    value: { notifyOnComplete: true },
    seen: async (trial, value) => trial.notified(await trial.run(value, [{}]), 'ended'),
  },
  notifyOnError: {
    value: { notifyOnError: true },
    seen: async (trial, value) => trial.notified(await trial.run(value, [{ fail: 'permanent' }]), 'ended'),
  },
  notifyProgressInterval: {
    value: { notifyProgressInterval: 50 },
    seen: async (trial, value) => trial.notified(await trial.run(value, [{}, {}]), 'progress'),
  },
  conflictResolution: {
    value: { conflictResolution: 'skip' },
    seen: async (trial, value) => {
      await putRecord(trial);
      expect(await trial.outcomes(await trial.run(value, [{}]))).toMatchObject([{ status: 'skipped' }]);
    },
  },
  backupStrategy: {
    value: { backupStrategy: 'auto' },
    seen: async (trial, value) => {
      await putRecord(trial);
      const id = await trial.run(value, [{}]);
      await trial.ended(id);
      expect((await trial.api.post(`/api/batches/${id}/restore`)).body).toMatchObject({ data: { restored: 1 } });
    },
  },
  rollbackOnFailure: {
    value: { rollbackOnFailure: true },
    seen: async (trial, value) => {
      await putRecord(trial);
      const threshold = { failureThreshold: { count: 1, action: 'fail' } };
      const id = await trial.run({ ...value, ...threshold, ...SINGLE }, [{}, { fail: 'permanent' }, LONG]);
      await trial.until(id, ({ rollback }) => rollback?.status === 'done' && rollback.restored === 1);
    },
  },
  'resourceLimits.maxMemoryMb': { value: { resourceLimits: { maxMemoryMb: 512 } }, seen: isLimited },
  'resourceLimits.maxCpuPercent': { value: { resourceLimits: { maxCpuPercent: 50 } }, seen: isLimited },
};

function runs(trial: OptionTrial, value: object, items: number): Promise<unknown> {
  return trial.run(value, Array<Payload>(12).fill(LONG)).then((id) => trial.until(id, ({ counts }) => counts.running === items));
}

async function succeeds(trial: OptionTrial, id: string): Promise<void> {
  expect(await trial.outcomes(id)).toMatchObject([{ status: 'succeeded', attempts: 2 }]);
}

async function timesOut(trial: OptionTrial, options: object): Promise<void> {
  const outcomes = await trial.outcomes(await trial.run(options, [LONG]));
  expect(outcomes).toMatchObject([{ status: 'failed', attempts: 1, error: { kind: 'timeout' } }]);
}

async function isHeldByRate(trial: OptionTrial, { rateLimitPool, ...value }: BatchOptionsInput): Promise<void> {
  const own = rateLimitPool && { rateLimitPool: { ...rateLimitPool, name: `${rateLimitPool.name} of ${trial.kind}` } };
  await trial.shutBy(await trial.run({ ...value, ...own }, [{}, {}]), 'rate-limit');
}

/** A batch waits for the token that another one of the same name took. */
async function isHeldByPool(trial: OptionTrial, { rateLimitPool }: BatchOptionsInput): Promise<void> {
  const options = { rateLimitPool: { ...rateLimitPool, name: `${rateLimitPool!.name} by ${trial.kind}` } };
  await trial.ended(await trial.run(options, [{}]));
  await trial.shutBy(await trial.run(options, [{}]), 'rate-limit');
}

async function isPausedByFailure(trial: OptionTrial, value: object): Promise<void> {
  const id = await trial.run({ ...value, ...SINGLE }, [{ fail: 'permanent' }, LONG, LONG]);
  const { reason } = await trial.until(id, ({ status }) => status === 'paused');
  expect(reason).toContain('failure threshold');
}

async function isPausedAfter(trial: OptionTrial, value: object, items: number): Promise<void> {
  const batch = await trial.until(await trial.run(value, [{}, {}, {}]), ({ status }) => status === 'paused');
  expect(batch.counts).toMatchObject({ succeeded: items, pending: 3 - items });
}

async function ramps(trial: OptionTrial, value: object, items: number): Promise<void> {
  const id = await trial.run(value, Array<Payload>(12).fill(LONG));
  await trial.until(id, ({ counts }) => counts.running === items);
  await trial.shutBy(id, 'ramp-up');
}

async function putRecord(trial: OptionTrial): Promise<void> {
  await eventually(
    () => trial.api.send('PUT', `/api/records/${COLLECTION}/i0`, { fields: { by: 'hand' } }),
    ({ status }) => status === 200,
  );
}

/** Where no limit is kept none is shown. */
async function isLimited(trial: OptionTrial, value: BatchOptionsInput): Promise<void> {
  const { options } = await trial.read<{ options: BatchOptionsInput }>(await trial.run(value, [{}]));
  expect(options).toMatchObject(value);
}
