import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchOptions } from '../batch.options.js';
import { laneWidths, rankOf } from '../dialects.js';

/**
 * A lane that the new concurrency has no use for is not deleted: it holds the counts of what it worked, and may be held at this
 * moment. Its worker sees the width of 0 at the next heartbeat and gives it back.
 */
const SET_OPTIONS: Statement = {
  name: 'set-batch-options',
  text: `
    WITH changed AS (UPDATE batch SET options = $2 WHERE run_id = $1),
      steered AS (
        UPDATE run SET rank = $3, revision = revision + 1, held_until = '-infinity', deadline_at = started_at + $5::float8 * interval '1 millisecond'
        WHERE id = $1
      ),
      wanted AS (SELECT w.no - 1 AS no, w.width FROM unnest($4::smallint[]) WITH ORDINALITY AS w (width, no)),
      retired AS (UPDATE lane SET width = 0 WHERE run_id = $1 AND no NOT IN (SELECT no FROM wanted))
    INSERT INTO lane (run_id, no, width) SELECT $1, no, width FROM wanted
    ON CONFLICT (run_id, no) DO UPDATE SET width = excluded.width`,
};

/** Gives a run that has not ended other settings; the caller holds its lock. */
export async function setOptions(connection: Connection, runId: string, options: BatchOptions): Promise<void> {
  await run(connection, SET_OPTIONS, [runId, options, rankOf(options), laneWidths(options), options.batchTimeout]);
}
