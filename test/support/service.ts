import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Config } from '../../src/config.js';
import { Database } from '../../src/database/sql.js';
import { type RunningService, startService, type ServiceOptions } from '../../src/service.js';
import { createTestDatabase } from './database.js';

export interface TestService extends RunningService {
  database: Database;
}

/**
 * A whole service in this process, with a database of its own, on a free port.
 * @param env variables over the defaults, as a user would set them
 */
export async function startTestService(env: Record<string, string> = {}, options: ServiceOptions = {}): Promise<TestService> {
  const database = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-test-'));
  const config = Config.from({
    NODE_ENV: 'test',
    PORT: '0',
    LOG_LEVEL: 'fatal',
    SWEEP_MS: '200',
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    ...env,
  });
  const service = await startService(config, options);
  const close = async (): Promise<void> => {
    await service.close();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return { ...service, close, database: service.app.get(Database) };
}
