import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedisServer, type RedisServer } from '../../scripts/redis-server.mjs';

/** A Redis for one test alone, to kill, wipe or stop; with the port of one that was ended, its successor at the same address. */
export async function startRedis(port?: number): Promise<RedisServer> {
  const program = process.env.TEST_REDIS_SERVER_BIN;
  if (!program) throw new Error('TEST_REDIS_SERVER_BIN is not set: run the tests with npm test, or set it to the path of redis-server.');
  const folder = await mkdtemp(join(tmpdir(), 'batchwise-redis-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  try {
    const server = await startRedisServer(program, folder, port);
    return {
      ...server,
      stop: () => server.stop().finally(removeFolder),
      kill: () => server.kill().finally(removeFolder),
    };
  } catch (error) {
    await removeFolder();
    throw error;
  }
}
