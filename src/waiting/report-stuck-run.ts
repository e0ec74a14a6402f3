import type { BatchEventRecord } from '../batches/events/batch.events.js';
import { appendEvent } from '../batches/store/append-event.js';
import { selectBatch } from '../batches/store/lock-batch.js';
import type { Config } from '../config.js';
import type { Database } from '../database/sql.js';
import { explainWaiting } from './explain-waiting.js';
import { lockStuckRun } from './store/find-stuck-runs.js';

/** Writes a stuck run's event, which says what is in its way. @returns undefined when it moves again, or another process does it */
export function reportStuckRun(database: Database, config: Config, runId: string): Promise<BatchEventRecord | undefined> {
  return database.transaction(async (connection) => {
    const stuck = await lockStuckRun(connection, config.stuckAfterMs, runId);
    if (!stuck) return undefined;
    const { all, some } = await explainWaiting(connection, config, await selectBatch(connection, stuck.tenant, stuck.id));
    const why = [...all, ...some].map(({ message }) => message).join('; ') || 'its items are being worked, and none of them ends';
    return appendEvent(connection, stuck.id, 'batch.stuck', { reason: why });
  });
}
