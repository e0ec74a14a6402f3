import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { appendEvent } from './append-event.js';

const START_RUN: Statement = {
  name: 'start-run',
  text: `
    UPDATE run r SET status = 'running', started_at = clock_timestamp(), sealed = $2,
      gate = CASE WHEN r.no = 1 THEN coalesce((b.options #>> '{canary,items}')::int, ceil(r.total * (b.options #>> '{canary,percent}')::float8 / 100)::int) END,
      deadline_at = clock_timestamp() + (b.options ->> 'batchTimeout')::float8 * interval '1 millisecond'
    FROM batch b WHERE r.id = $1 AND b.id = r.batch_id AND r.status = 'pending'
    RETURNING r.batch_id`,
};

/** Sets a pending run going, in the caller's transaction. */
export async function startRun(connection: Connection, runId: string, sealed: boolean): Promise<BatchEventRecord | undefined> {
  const [started] = await run<{ batch_id: string }>(connection, START_RUN, [runId, sealed]);
  return started && appendEvent(connection, started.batch_id, 'batch.started');
}
