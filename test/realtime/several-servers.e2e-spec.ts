import type { ErpCreatedReply } from '../../src/dialects/erp/erp.reply.js';
import { Api } from '../contracts/api.js';
import { createTestDatabase } from '../support/database.js';
import { startRedis } from '../support/redis.js';
import { startTestService } from '../support/service.js';
import { Listener } from './listener.js';

test('a socket hears each event once, whichever server it is on and whoever works the batch', async () => {
  const [database, redis] = [await createTestDatabase(), await startRedis()];
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url };
  const api = await startTestService({ ...env, ROLE: 'api' });
  const other = await startTestService({ ...env, ROLE: 'api' });
  const worker = await startTestService({ ...env, ROLE: 'worker' });
  const [here, there] = [await Listener.connect(api.url), await Listener.connect(other.url)];

  const request = { operation: 'noop', filters: { count: 10 }, options: { durationMs: 20, concurrency: 2 } };
  const { body } = await new Api(api.url).post<ErpCreatedReply>('/api/batch/create', request);
  const { id } = body.batch;
  await Promise.all([here.until('batch.completed', id), there.until('batch.completed', id)]);

  for (const listener of [here, there]) {
    const sequence = listener.of(id).flatMap(({ name, payload }) => (name.startsWith('batch.') ? [payload.seq] : []));
    expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    expect(listener.names(id).filter((name) => name === 'batch:completed')).toHaveLength(1);
    listener.close();
  }
  for (const service of [worker, other, api]) await service.close();
  await redis.stop();
  await database.drop();
});
