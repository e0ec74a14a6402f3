import { join } from 'node:path';
import { Client } from 'pg';
import { createTestDatabase } from '../support/database.js';
import { assertInvariants } from '../support/invariants.js';
import { NativeClient } from '../support/native-client.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

const FRAGILE = join(__dirname, '../support/crashing-service.mjs');

it('an item that kills its worker is quarantined alone; its neighbours are worked', async () => {
  const database = await createTestDatabase();
  const start = (): Promise<ServiceProcess> => spawnService({ DATABASE_URL: database.url }, FRAGILE);
  let service = await start();
  const client = new NativeClient(service.url);
  const items = Array.from({ length: 40 }, (_, n) => ({ key: n === 17 ? 'poison' : `item ${n}` }));
  const { id } = await client.create({ operation: 'fragile', items, start: false });
  await client.start(id).catch(() => undefined);

  let deaths = 0;
  for (;;) {
    const batch = await Promise.race([service.ended, client.waitForEnd(id)]);
    if (!Array.isArray(batch)) break;
    deaths += 1;
    service = await start();
    client.url = service.url;
  }

  // Twice among others, twice alone.
  expect(deaths).toBe(4);
  expect(await client.get(id)).toMatchObject({ status: 'completed', counts: { total: 40, succeeded: 39, failed: 1 } });
  const connection = new Client({ connectionString: database.url });
  await connection.connect();
  const { rows } = await connection.query(`SELECT key, error_kind, error FROM outcome WHERE status = 2`);
  expect(rows).toEqual([{ key: 'poison', error_kind: 'poison', error: expect.stringContaining('POISON') as string }]);
  await assertInvariants({ pool: connection });
  await connection.end();
  expect(await service.end('SIGTERM')).toBe(0);
  await database.drop();
}, 120_000);
