import { join } from 'node:path';
import { createTestDatabase } from '../support/database.js';
import { Engine, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { NativeClient } from '../support/native-client.js';
import { spawnService } from '../support/process.js';
import { ThreadedModule } from '../support/threaded.js';

const THREADED = join(__dirname, '../support/threaded-service.mjs');

test('a thread that spins for five leases holds up no other batch, and loses no lane', async () => {
  const engine = await Engine.start({ WORKER_THREADS: '1', LEASE_MS: '1000' }, [ThreadedModule]);
  try {
    const spinning = await engine.create({ operation: 'threaded', items: [{ payload: { do: 'spin', ms: 5_000 } }] });
    await eventually(
      () => engine.get(spinning.id),
      ({ counts }) => counts.running === 1,
    );
    for (let round = 0; round < 3; round += 1) await engine.ended(await engine.create({ items: keys(100) }));
    expect(await engine.get(spinning.id)).toMatchObject({ status: 'running', counts: { running: 1 } });
    expect(await engine.ended(spinning)).toMatchObject({ status: 'completed', counts: { succeeded: 1 } });
    // Each claim of a lane raises its fence: one claim, and nobody took it over.
    const lanes = await engine.sql('SELECT fence::int FROM lane JOIN run ON run.id = run_id WHERE batch_id = $1', [spinning.id]);
    expect(lanes).toEqual([{ fence: 1 }]);
    expect(await engine.sql('SELECT sum(crashes)::int AS crashes FROM chunk')).toEqual([{ crashes: 0 }]);
    expect(await engine.outcomes(spinning)).toMatchObject([{ attempts: 1 }]);
  } finally {
    await engine.close();
  }
}, 60_000);

test('a process ends by itself, in its grace time, although a thread spins, and gives the item back', async () => {
  const database = await createTestDatabase();
  const env = { DATABASE_URL: database.url, LEASE_MS: '60000', SHUTDOWN_GRACE_MS: '4000', WORKER_THREADS: '2' };
  const service = await spawnService(env, THREADED);
  const client = new NativeClient(service.url);
  const items = [{ payload: { do: 'nothing' } }, { payload: { do: 'spin', ms: 600_000 } }];
  const { id } = await client.create({ operation: 'threaded', items, options: { timeout: 600_000, retryAttempts: 0 } });
  await client.waitFor(id, ({ counts }) => counts.succeeded === 1 && counts.running === 1);

  expect(await service.end('SIGTERM')).toBe(0);

  const second = await spawnService({ ...env, ROLE: 'api' });
  client.url = second.url;
  // Not failed, and no lease of a minute to wait for: the lane was given back with the item in it.
  expect(await client.get(id)).toMatchObject({ status: 'running', counts: { succeeded: 1, failed: 0 } });
  await second.end('SIGTERM');
  await database.drop();
}, 120_000);
