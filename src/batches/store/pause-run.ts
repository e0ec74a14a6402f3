import { type Connection, type Database, run, type Statement } from '../../database/sql.js';
import type { ReasonKind } from '../batch.state.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { appendAudit, BY_SERVICE } from './append-audit.js';
import { appendEvent } from './append-event.js';
import { settleRunWithin } from './settle-run.js';

const PAUSE: Statement = {
  name: 'pause-run',
  text: `UPDATE run SET status = 'paused', reason = $2, reason_kind = $3 WHERE id = $1 AND status = 'running' RETURNING batch_id`,
};

/** @returns the events, of the pause and of an end if nothing was left to do; none when the run was not running any more */
export function pauseRun(
  database: Database,
  runId: string,
  { kind, reason }: { kind: ReasonKind; reason: string },
): Promise<BatchEventRecord[]> {
  return database.transaction(async (connection: Connection) => {
    const [paused] = await run<{ batch_id: string }>(connection, PAUSE, [runId, reason, kind]);
    if (!paused) return [];
    const batchId = paused.batch_id;
    await appendAudit(connection, { batchId, by: BY_SERVICE, action: 'pause', details: { reason, rule: kind } });
    const event = await appendEvent(connection, batchId, 'batch.paused');
    return [event, ...(await settleRunWithin(connection, runId)).events];
  });
}
