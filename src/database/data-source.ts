import { Logger } from '@nestjs/common';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { type Outage, outageOf } from '../common/outage.js';
import { checkServer } from './check-server.js';
import { ENTITIES } from './entities.js';
import { MIGRATIONS } from './migrations/index.js';
import { PLAN_SETTINGS } from './plan-settings.js';
import { learnBackend } from './silent-connections.js';

const logger = new Logger('Database');

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

/**
 * Brings the database up to date, and connects with as many connections as it has room for.
 * @throws Error that says what is wrong with the server and what to do
 */
export async function openDataSource(options: DataSourceOptions | undefined): Promise<DataSource> {
  if (!options) throw new Error('the database module was made without options');
  const poolSize = await prepare(options as DataSourceOptions & { poolSize: number });
  return connect(new DataSource({ ...options, poolSize } as DataSourceOptions));
}

/**
 * Checks and migrates, on connections of its own: building an index over a large table takes as long as it takes.
 * @returns connections that the pool may have
 */
async function prepare(options: DataSourceOptions & { poolSize: number }): Promise<number> {
  const extra = { application_name: 'batchwise migrations', keepAlive: true, lock_timeout: 30_000 };
  const dataSource = await connect(new DataSource({ ...options, entities: [], poolSize: 2, extra }));
  try {
    const poolSize = await checkServer(
      (text) => dataSource.query(text),
      options.poolSize,
      (message) => logger.warn(message),
    );
    await migrate(dataSource);
    return poolSize;
  } catch (error) {
    throw unusable(error as Error);
  } finally {
    await dataSource.destroy();
  }
}

async function migrate(dataSource: DataSource): Promise<void> {
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await dataSource.runMigrations({ transaction: 'each' });
  } finally {
    // Ends the session, and the lock with it.
    await lock.release();
  }
}

async function connect(dataSource: DataSource): Promise<DataSource> {
  try {
    return await dataSource.initialize();
  } catch (error) {
    throw unusable(error as Error);
  }
}

const NO_RIGHT = '42501';

/** With what the operator can do, where PostgreSQL's own words do not say it. */
function unusable(error: Error & { code?: string }): Error {
  const outage = outageOf(error);
  const remedies: Partial<Record<Outage['kind'], string>> = {
    'too-many-connections': '; raise max_connections, or let the processes of this service and others open fewer (DATABASE_POOL_SIZE)',
    'no-space': '; make room on its disk',
  };
  const rights = '; the user needs the right to make tables: GRANT CREATE ON SCHEMA public TO the user of DATABASE_URL';
  const remedy = error.code === NO_RIGHT ? rights : ((outage && remedies[outage.kind]) ?? '');
  return new Error(`PostgreSQL cannot be used (DATABASE_URL): ${error.message}${remedy}`, { cause: error });
}
