import { Api } from '../../contracts/api.js';
import { Engine, keys } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants } from '../../support/invariants.js';

const CLIENTS = 5;
const ITEMS = 8_000;
/** Items that workers hold may still start for so long after a pause was answered: they hear of it with the next heartbeat. */
const STILL_STARTS_MS = 2_000;

const caller = { tenant: 'default' };

let engine: Engine;
let api: Api;

beforeAll(async () => {
  engine = await Engine.start();
  api = new Api(engine.service.url);
});
afterAll(() => engine.close());

test('five clients that pause and resume a batch as fast as they can do not harm it, and paused is paused', async () => {
  const starts: number[] = [];
  const seen = new Set<string>();
  const batch = await engine.run(
    async ({ key }) => {
      starts.push(performance.now());
      seen.add(key);
      await new Promise((resolve) => setTimeout(resolve, 5));
    },
    { items: keys(ITEMS).map((key) => ({ key })), options: { concurrency: 4, batchSize: 20 } },
    caller,
  );
  const answers = new Map<number, number>();
  const move = async (name: 'pause' | 'resume'): Promise<void> => {
    const { status } = await api.post(`/api/batches/${batch.id}/${name}`);
    answers.set(status, (answers.get(status) ?? 0) + 1);
  };
  const storm = async (moves: number): Promise<void> => {
    for (let n = 0; n < moves; n += 1) await move(Math.random() < 0.5 ? 'pause' : 'resume');
  };
  await Promise.all(Array.from({ length: CLIENTS }, () => storm(60)));
  expect([...answers.keys()].sort()).toEqual([200, 409]);
  await assertInvariants(engine.database);

  await move('pause');
  const pausedAt = performance.now();
  await eventually(() => performance.now() > pausedAt + STILL_STARTS_MS + 1_500, Boolean);
  expect(starts.filter((at) => at > pausedAt + STILL_STARTS_MS)).toEqual([]);
  expect(seen.size).toBeLessThan(ITEMS);

  await move('resume');
  const ended = await eventually(
    () => api.get<{ data: { status: string; counts: object } }>(`/api/batches/${batch.id}`),
    ({ body }) => body.data.status === 'completed',
    60_000,
  );
  expect(ended.body.data.counts).toMatchObject({ total: ITEMS, succeeded: ITEMS });
  expect(seen.size).toBe(ITEMS);
  await assertInvariants(engine.database);
}, 120_000);
