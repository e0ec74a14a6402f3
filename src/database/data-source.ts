import { DataSource, type DataSourceOptions } from 'typeorm';
import { ENTITIES } from './entities.js';
import { MIGRATIONS } from './migrations/index.js';
import { PLAN_SETTINGS } from './plan-settings.js';
import { learnBackend } from './silent-connections.js';

/** Any fixed number: every process that migrates this database waits for the same lock. */
const MIGRATION_LOCK = 4_072_026;

/** What one statement may take: deleting a batch of ten million outcomes takes two minutes. */
const STATEMENT_MS = 120_000;

/**
 * Every wait has an end: without these a cut connection or a forgotten lock holds a pool's client for ever. For a connection a request
 * waits less than the five seconds in which it is to be answered, and so does a command for its batch (`lockBatch`).
 */
export function dataSourceOptions(url: string, poolSize: number): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    entities: ENTITIES,
    migrations: MIGRATIONS,
    uuidExtension: 'pgcrypto',
    installExtensions: false,
    poolSize,
    connectTimeoutMS: 4_000,
    extra: {
      application_name: 'batchwise',
      options: PLAN_SETTINGS,
      keepAlive: true,
      statement_timeout: STATEMENT_MS,
      query_timeout: STATEMENT_MS + 10_000,
      lock_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      onConnect: learnBackend,
    },
  };
}

export async function openDataSource(options: DataSourceOptions | undefined): Promise<DataSource> {
  if (!options) throw new Error('the database module was made without options');
  await migrate(options);
  return connect(new DataSource(options));
}

/** On connections of its own: building an index over a large table takes as long as it takes. */
async function migrate(options: DataSourceOptions): Promise<void> {
  const extra = { application_name: 'batchwise migrations', keepAlive: true, lock_timeout: 30_000 };
  const dataSource = await connect(new DataSource({ ...options, entities: [], poolSize: 2, extra } as DataSourceOptions));
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await dataSource.runMigrations({ transaction: 'each' });
  } finally {
    // Ends the session, and the lock with it.
    await lock.release();
    await dataSource.destroy();
  }
}

async function connect(dataSource: DataSource): Promise<DataSource> {
  try {
    return await dataSource.initialize();
  } catch (error) {
    throw new Error(`PostgreSQL cannot be used (DATABASE_URL): ${(error as Error).message}`, { cause: error });
  }
}
