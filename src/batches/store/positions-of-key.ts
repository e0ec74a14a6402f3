import { type Connection, run, type Statement } from '../../database/sql.js';
import { hashesOf, mayHold } from '../key-summary.js';

/** Of `c`, a chunk of the first run: whether its items, `i`, may have the key, or one of them is called so by its number. */
export function mayHoldKey({ first, step, place }: { first: string; step: string; place: string }): string {
  return `(${mayHold('i.keys', first, step)} OR (${place}::bigint >= c.no AND ${place}::bigint < c.no + c.size))`;
}

const SELECT_POSITIONS: Statement = {
  name: 'select-positions-of-key',
  text: `
    SELECT DISTINCT o.seq FROM chunk c
    CROSS JOIN LATERAL (
      SELECT FROM chunk_items i WHERE i.run_id = c.run_id AND i.no = c.no AND ${mayHoldKey({ first: '$3', step: '$4', place: '$5' })} LIMIT 1
    ) held
    CROSS JOIN unnest($1::bigint[]) AS r (id)
    CROSS JOIN LATERAL (SELECT seq FROM outcome WHERE run_id = r.id AND seq >= c.no AND seq < c.no + c.size AND key = $2 LIMIT c.size) o
    WHERE c.run_id = ($1::bigint[])[1] AND c.no >= 0 AND c.state <> 3`,
};

/** The number of the item that is called by the key when it was given none, from 0; -1 for a key that is no number. */
export function placeOfKey(key: string): number {
  return /^[1-9]\d{0,9}$/.test(key) ? Number(key) - 1 : -1;
}

/** Where items of the key have outcomes. @param runIds all runs of a batch whose items are worked here, oldest first */
export async function positionsOfKey(connection: Connection, runIds: string[], key: string): Promise<number[]> {
  const rows = await run<{ seq: number }>(connection, SELECT_POSITIONS, [runIds, key, ...hashesOf(key), placeOfKey(key)]);
  return rows.map(({ seq }) => seq);
}
