import { type Connection, run, type Statement } from '../../database/sql.js';

/** Rows that a collection may have before they are made one. */
const MAX_ROWS = 20;

const FOLD: Statement = {
  name: 'fold-record-totals',
  text: `
    WITH many AS (
      SELECT tenant, collection FROM record_total GROUP BY tenant, collection HAVING count(*) > ${MAX_ROWS} OR sum(records) = 0
    ),
      chosen AS (SELECT t.id FROM record_total t JOIN many USING (tenant, collection) FOR UPDATE OF t SKIP LOCKED),
      taken AS (DELETE FROM record_total WHERE id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING *)
    INSERT INTO record_total (tenant, collection, records, bytes)
    SELECT tenant, collection, sum(records), sum(bytes) FROM taken GROUP BY tenant, collection HAVING sum(records) <> 0 OR sum(bytes) <> 0`,
};

/** Adds up what the triggers of `record` have counted statement by statement. The sums stay the same at any moment, for whoever looks. */
export async function foldRecordTotals(connection: Connection): Promise<void> {
  await run(connection, FOLD, []);
}

const WAIT_FOR_OTHERS: Statement = {
  name: 'lock-records-of-tenant',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('records:' || $1, 0))`,
};

const BYTES: Statement = {
  name: 'bytes-of-records',
  text: `
    SELECT coalesce(sum(bytes), 0)::float8 AS bytes,
      coalesce(sum(bytes) FILTER (WHERE written_in = pg_current_xact_id()::text::bigint), 0)::float8 AS grown
    FROM record_total WHERE tenant = $1`,
};

export interface RecordBytes {
  /** Of all of the tenant's records. */
  bytes: number;
  /** By how many this transaction made them more. */
  grown: number;
}

/** In a transaction that has written records: those of others that are measured at the same time end first, or see this one's. */
export async function measureRecords(connection: Connection, tenant: string): Promise<RecordBytes> {
  await run(connection, WAIT_FOR_OTHERS, [tenant]);
  const [measured] = await run<RecordBytes>(connection, BYTES, [tenant]);
  return measured!;
}
