import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { outageOf } from '../common/outage.js';

/**
 * Whether the database finds space for a megabyte, in its files and its log. What is written is taken back.
 * @throws when it cannot be asked
 */
export async function hasSpace(pool: Pool): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    // A table of its own, so that space which others have freed within theirs does not count. Rows that are short enough are not compressed.
    await client.query(
      `CREATE TABLE space_probe_${randomBytes(6).toString('hex')} AS SELECT repeat(md5(n::text), 60) AS filler FROM generate_series(1, 520) AS n`,
    );
    return true;
  } catch (error) {
    const outage = outageOf(error);
    if (outage?.kind === 'no-space') return false;
    // Without the right to make a table it cannot be known: the next statement tells.
    if (outage?.kind === 'refused') return true;
    throw error;
  } finally {
    client.release((await rolledBack(client)) ? undefined : true);
  }
}

async function rolledBack(client: { query(text: string): Promise<unknown> }): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}
