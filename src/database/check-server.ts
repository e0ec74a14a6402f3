import { HEARTBEAT_CONNECTIONS } from './heartbeat-pool.js';

/** Tables are compressed by a method of their own (`SET COMPRESSION`), which PostgreSQL 13 does not know; the tests pass with 14. */
const OLDEST = 14;
/** A transaction, and a statement beside it. */
const SMALLEST_POOL = 2;

/** Runs one statement on the server. */
type Ask = <Row>(text: string) => Promise<Row[]>;

interface Facts {
  version: string;
  version_number: number;
  encoding: string;
  database: string;
  standby: boolean;
  read_only: boolean;
  superuser: boolean;
  max_connections: number;
  reserved: number;
  /** Of this user and of this database; -1: none. */
  role_limit: number;
  database_limit: number;
  /** Connections of others than this service. */
  others: number;
  others_of_role: number;
  others_of_database: number;
}

const FACTS = `
  WITH others AS (
    SELECT usename, datname FROM pg_stat_activity
    WHERE usename IS NOT NULL AND datname IS NOT NULL AND coalesce(application_name, '') NOT LIKE 'batchwise%'
  )
  SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_number,
    pg_encoding_to_char(d.encoding) AS encoding, d.datname AS database,
    pg_is_in_recovery() AS standby, current_setting('transaction_read_only')::boolean AS read_only, r.rolsuper AS superuser,
    current_setting('max_connections')::int AS max_connections,
    current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
    r.rolconnlimit AS role_limit, d.datconnlimit AS database_limit,
    (SELECT count(*)::int FROM others) AS others,
    (SELECT count(*)::int FROM others WHERE usename = current_user) AS others_of_role,
    (SELECT count(*)::int FROM others WHERE datname = current_database()) AS others_of_database
  FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user`;

/**
 * Looks whether a server is fit for this service, before anything is made in it.
 * @param poolSize connections that the settings ask for
 * @param warn told when the server does not allow as many
 * @returns connections that the pool may have
 * @throws Error that says what is wrong with the server and what to do
 */
export async function checkServer(ask: Ask, poolSize: number, warn: (message: string) => void): Promise<number> {
  const [facts] = await ask<Facts>(FACTS);
  const fault = faultOf(facts!);
  if (fault !== undefined) throw new Error(fault);
  const allowed = allowedConnections(facts!);
  const fitting = Math.min(poolSize, allowed - HEARTBEAT_CONNECTIONS);
  if (fitting < SMALLEST_POOL) {
    throw new Error(
      `it has room for ${Math.max(0, allowed)} connections of this service, and one process needs ${SMALLEST_POOL + HEARTBEAT_CONNECTIONS}: ${inWords(facts!)}. Raise max_connections`,
    );
  }
  if (fitting < poolSize) {
    warn(
      `PostgreSQL has room for ${allowed} connections of this service (${inWords(facts!)}): this process opens ${fitting} instead of ` +
        `DATABASE_POOL_SIZE ${poolSize}, and ${HEARTBEAT_CONNECTIONS} for heartbeats. N processes share them: set DATABASE_POOL_SIZE to ` +
        `${allowed} / N - ${HEARTBEAT_CONNECTIONS}, or raise max_connections`,
    );
  }
  return fitting;
}

function faultOf({ version, version_number: number, encoding, database, standby, read_only: readOnly }: Facts): string | undefined {
  if (number < OLDEST * 10_000) return `it is PostgreSQL ${version}, and this service needs ${OLDEST} or newer`;
  if (encoding !== 'UTF8') {
    const remedy = `make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`;
    return `the database ${database} has the encoding ${encoding}, which cannot hold every text; ${remedy}`;
  }
  if (standby) return 'it is a standby, which takes no changes; name the primary';
  if (readOnly) return 'it is set to read-only (default_transaction_read_only), and takes no changes';
  return undefined;
}

function allowedConnections(facts: Facts): number {
  const limit = (most: number, taken: number): number => (most < 0 ? Infinity : most - taken);
  return Math.min(
    facts.max_connections - (facts.superuser ? 0 : facts.reserved) - facts.others,
    limit(facts.role_limit, facts.others_of_role),
    limit(facts.database_limit, facts.others_of_database),
  );
}

function inWords({ max_connections: most, reserved, role_limit: ofRole, database_limit: ofDatabase, others }: Facts): string {
  const own = [
    ...(ofRole < 0 ? [] : [`the user's own limit is ${ofRole}`]),
    ...(ofDatabase < 0 ? [] : [`the database's own limit is ${ofDatabase}`]),
  ];
  return [`max_connections is ${most}, of which ${reserved} are reserved, and ${others} are used by others`, ...own].join(', ');
}
