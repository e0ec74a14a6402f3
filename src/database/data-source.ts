import type { Client } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { ENTITIES } from './entities.js';
import { MIGRATIONS } from './migrations/index.js';

/** Any fixed number: every process that migrates this database waits for the same lock. */
const MIGRATION_LOCK = 4_072_026;

/**
 * Every wait has an end: without these a cut connection or a forgotten lock holds a pool's client for ever.
 * A statement may take two minutes because deleting a batch of ten million outcomes does.
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
    connectTimeoutMS: 5_000,
    extra: {
      application_name: 'batchwise',
      keepAlive: true,
      statement_timeout: 120_000,
      query_timeout: 130_000,
      lock_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      // A connection that PostgreSQL ends in the moment it is handed out has no other listener yet, and an error without one ends the process.
      onConnect: (client: Client) => void client.on('error', () => undefined),
    },
  };
}

export async function openDataSource(options: DataSourceOptions | undefined): Promise<DataSource> {
  if (!options) throw new Error('the database module was made without options');
  const dataSource = await connect(new DataSource(options));
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await dataSource.runMigrations({ transaction: 'each' });
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await lock.release();
  }
  return dataSource;
}

async function connect(dataSource: DataSource): Promise<DataSource> {
  try {
    return await dataSource.initialize();
  } catch (error) {
    throw new Error(`PostgreSQL cannot be used (DATABASE_URL): ${(error as Error).message}`, { cause: error });
  }
}
