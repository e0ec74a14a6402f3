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

/** Sets a pending run going, in the caller's transaction. @returns its batch's ID; undefined when it was not pending any more */
export async function setGoing(connection: Connection, runId: string, sealed: boolean): Promise<string | undefined> {
  const [started] = await run<{ batch_id: string }>(connection, START_RUN, [runId, sealed]);
  return started?.batch_id;
}

/** The same, with its event. */
export async function startRun(connection: Connection, runId: string, sealed: boolean): Promise<BatchEventRecord | undefined> {
  const batchId = await setGoing(connection, runId, sealed);
  return batchId === undefined ? undefined : appendEvent(connection, batchId, 'batch.started');
}
