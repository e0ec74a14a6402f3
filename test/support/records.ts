import { Client } from 'pg';
import { RecordStore } from '../../src/records/record-store.js';
import type { NewRecord } from '../../src/records/store/upsert-records.js';
import type { Engine } from './engine.js';
import { eventually } from './eventually.js';

type Row = Record<string, unknown>;

/** Every column of a tenant's records, in their order: what must be the same again after a restore. */
export async function recordRows(engine: Engine, tenant = 'acme'): Promise<Row[]> {
  const rows = await engine.sql<{ row: Row }>(
    `SELECT to_jsonb(r) AS row FROM record r WHERE tenant = $1 ORDER BY collection, key COLLATE "C"`,
    [tenant],
  );
  return rows.map(({ row }) => row);
}

/** Fields by key. */
export async function fieldsIn(engine: Engine, collection: string, tenant = 'acme'): Promise<Record<string, Row>> {
  const rows = (await recordRows(engine, tenant)).filter((row) => row.collection === collection);
  return Object.fromEntries(rows.map(({ key, fields }) => [key, fields as Row]));
}

export async function seed(engine: Engine, collection: string, records: NewRecord[], tenant = 'acme'): Promise<void> {
  await engine.service.app.get(RecordStore).upsert({ tenant, collection }, records);
}

/** `count` records from k0000, made by `fieldsOf` its number. */
export function numbered(count: number, fieldsOf: (n: number) => Row): NewRecord[] {
  return Array.from({ length: count }, (_, n) => ({ key: `k${String(n).padStart(4, '0')}`, fields: fieldsOf(n) }));
}

export const toItems = (records: NewRecord[]): { key: string; payload: unknown }[] =>
  records.map(({ key, fields }) => ({ key, payload: fields }));

/** Somebody's open transaction that holds what its statement touched until it is let go. */
export class Holder {
  private constructor(private readonly client: Client) {}

  static async of(databaseUrl: string, sql: string, values: unknown[] = []): Promise<Holder> {
    const client = new Client({ connectionString: databaseUrl });
    await client.connect();
    await client.query('BEGIN');
    const { rowCount } = await client.query(sql, values);
    if (!rowCount) throw new Error(`nothing is held by ${sql}`);
    return new Holder(client);
  }

  /** Until so many wait for what is held, or for one that waits for it. */
  async isWaitedFor(sessions = 1): Promise<void> {
    await eventually(
      async () => {
        // Within a transaction the list of sessions is otherwise read once.
        await this.client.query('SELECT pg_stat_clear_snapshot()');
        const sql = `
          SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`;
        return (await this.client.query<{ n: number }>(sql)).rows[0]!.n;
      },
      (waiting) => waiting >= sessions,
      30_000,
    );
  }

  async letGo(): Promise<void> {
    await this.client.query('COMMIT');
    await this.client.end();
  }
}
