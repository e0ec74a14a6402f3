import { Client } from 'pg';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { Procedures } from '../../src/common/procedure.js';
import { Config } from '../../src/config.js';
import { startService } from '../../src/service.js';
import { createTestDatabase } from '../support/database.js';

/** Whatever moment a service is closed at, it has said its last word to the database before it hangs up. */
test('a service that is closed while it takes up work gives every lane back', async () => {
  const database = await createTestDatabase();
  const config = Config.from({ NODE_ENV: 'test', PORT: '0', LOG_LEVEL: 'fatal', DATABASE_URL: database.url });
  const client = new Client({ connectionString: database.url });
  for (let round = 0; round < 12; round += 1) {
    const service = await startService(config);
    const procedures = service.app.get(Procedures);
    const parameters = { durationMs: round % 3 };
    const create = () => procedures.call(CreateBatch, { operation: 'noop', items: ['a', 'b'], parameters }, { tenant: 'acme' });
    await Promise.all(Array.from({ length: 5 }, create));
    await service.close();
    if (round === 0) await client.connect();
    const { rows } = await client.query(`SELECT run_id, no FROM lane WHERE lease_until > '-infinity'`);
    expect(rows).toEqual([]);
  }
  await client.end();
  await database.drop();
}, 120_000);
