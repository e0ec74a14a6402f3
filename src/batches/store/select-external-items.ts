import { type Connection, run, type Statement } from '../../database/sql.js';
import { isTerminal } from '../batch.state.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import type { ItemView } from '../item.view.js';
import type { BatchRow } from './select-batches.js';

/** Outcomes that count, of each run the first ones up to the end of the page, merged. */
const SELECT_ENDED: Statement = {
  name: 'select-external-items-that-ended',
  text: `
    SELECT o.seq FROM unnest($1::bigint[]) AS r (id), LATERAL (
      SELECT seq FROM outcome WHERE run_id = r.id AND status = $2 AND repeated_in IS NULL ORDER BY seq LIMIT $3::int + $4::int
    ) o ORDER BY o.seq LIMIT $3 OFFSET $4`,
};

/** Listed items without a result, of the last run that waited for it: those that still wait, or that an earlier run left for good. */
const SELECT_UNDONE: Statement = {
  name: 'select-external-items-without-result',
  text: `
    SELECT x.seq FROM unnest($1::bigint[]) AS r (id), LATERAL (
      SELECT seq FROM external_result e WHERE run_id = r.id AND NOT recorded AND seq IS NOT NULL
        AND NOT EXISTS (SELECT FROM external_result y WHERE y.run_id = ANY ($2::bigint[]) AND y.run_id > r.id AND y.key = e.key)
      ORDER BY seq LIMIT $3::int + $4::int
    ) x ORDER BY x.seq LIMIT $3 OFFSET $4`,
};

/** Chunks of the first run that hold items at the positions. A page ends after about 16 MB of payloads, as a list of all items does. */
export const SELECT_CHUNKS_OF_POSITIONS: Statement = {
  name: 'select-chunks-of-positions',
  text: `
    SELECT * FROM (
      SELECT c.no, c.size, 0 AS state, '{}'::smallint[] AS settled, 0 AS before, i.items, NULL AS item_progress, NULL AS lane, NULL AS width, NULL AS gate,
        sum(octet_length(i.items)) OVER (ORDER BY c.no) - octet_length(i.items) AS bytes_before
      FROM (
        SELECT DISTINCT h.no, h.size FROM unnest($2::int[]) AS n (seq), LATERAL (
          SELECT no, size FROM chunk WHERE run_id = $1 AND no BETWEEN 0 AND n.seq AND state <> 3 ORDER BY no DESC LIMIT 1
        ) h
      ) c CROSS JOIN LATERAL (SELECT items FROM chunk_items WHERE run_id = $1 AND no = c.no LIMIT 1) i
    ) page WHERE bytes_before < 16000000 ORDER BY no`,
};

interface Page {
  limit: number;
  offset: number;
}

/**
 * Positions of a page of the items with a status, of a batch whose results come from outside, and how many there are of them.
 * @param runIds all of the batch's runs, oldest first
 */
export async function selectExternalItems(
  connection: Connection,
  { batch, runIds }: { batch: BatchRow; runIds: string[] },
  status: ItemView['status'],
  { limit, offset }: Page,
): Promise<{ seqs: number[]; total: number }> {
  if (status === 'succeeded' || status === 'failed') {
    return page(batch[status], await run(connection, SELECT_ENDED, [runIds, OUTCOME_STATUS[status], limit, offset]));
  }
  if (status !== 'pending' && status !== 'cancelled') return page(0, []);
  const undone = batch.total - batch.succeeded - batch.failed;
  const ended = isTerminal(batch.status);
  const cancelled = ended ? undone : batch.cancelled;
  if (status === 'pending') {
    const waiting = ended ? [] : runIds.slice(-1);
    return page(undone - cancelled, await run(connection, SELECT_UNDONE, [waiting, runIds, limit, offset]));
  }
  return page(cancelled, await run(connection, SELECT_UNDONE, [ended ? runIds : runIds.slice(0, -1), runIds, limit, offset]));
}

function page(total: number, rows: { seq: number }[]): { seqs: number[]; total: number } {
  return { seqs: rows.map(({ seq }) => seq), total };
}
