import { type Connection, run, type Statement } from '../../database/sql.js';
import type { ClaimedChunk } from './claim-chunks.js';
import type { LaneFence } from './record-outcomes.js';

/**
 * Pools retries that are due into one full chunk, claimed by the lane that asks. A chunk of its own for each failed handful
 * would halve the throughput at 10 % failures. Its number is negative: it is taken up first when it is given back. The clock is read
 * once, so that the index tells which are due: else all that wait would be read.
 */
const CLAIM_DUE_RETRIES: Statement = {
  name: 'claim-due-retries',
  text: `
    WITH held AS (
      SELECT 1 FROM lane JOIN run r ON r.id = lane.run_id
      WHERE lane.run_id = $1 AND lane.no = $2 AND lane.fence = $3 AND lane.lease_until > '-infinity' AND r.status = 'running'
      FOR UPDATE OF lane
    ), due AS (
      SELECT seq FROM retry
      WHERE run_id = $1 AND due_at <= (SELECT clock_timestamp()) AND EXISTS (SELECT FROM held)
      ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
    ), taken AS (
      DELETE FROM retry r USING due WHERE r.run_id = $1 AND r.seq = due.seq RETURNING r.*
    ), packed AS (
      SELECT -nextval('retry_chunk_no') AS no, t.size, t.items
      FROM (
        SELECT count(*)::int AS size,
          json_agg(CASE WHEN payload IS NULL THEN json_build_object('seq', seq, 'attempt', attempt, 'key', key, 'waited', waited_ms, 'last', last)
            ELSE json_build_object('seq', seq, 'attempt', attempt, 'key', key, 'waited', waited_ms, 'last', last, 'payload', payload)
            END ORDER BY seq)::text AS items
        FROM (
          SELECT *, CASE WHEN error IS NOT NULL THEN json_build_object('kind', error_kind, 'error', error, 'at', failed_at) END AS last
          FROM taken
        ) told
      ) t WHERE t.size > 0
    ), made AS (
      INSERT INTO chunk (run_id, no, size, state, lane) SELECT $1, no, size, 1, $2 FROM packed
    ), stored AS (
      INSERT INTO chunk_items (run_id, no, items) SELECT $1, no, items FROM packed
    )
    SELECT no, size, items, '{}'::smallint[] AS settled, 0 AS crashes, '{}'::smallint[] AS suspects FROM packed`,
};

export async function claimDueRetries(connection: Connection, lane: LaneFence, limit: number): Promise<ClaimedChunk | undefined> {
  const [chunk] = await run<ClaimedChunk>(connection, CLAIM_DUE_RETRIES, [lane.runId, lane.no, lane.fence, limit]);
  return chunk;
}
