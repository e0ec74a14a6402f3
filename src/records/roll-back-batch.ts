import { IS_COMPENSATING } from '../batches/store/rollback-turn.js';
import type { RollbackView } from '../batches/rollback.view.js';
import { type Connection, type Database, run, type Statement } from '../database/sql.js';
import { type BackupPosition, restoreRecords } from './store/restore-records.js';

/** Records of one transaction: they are locked while it lasts. */
const SLICE = 500;
const START: BackupPosition = { collection: '', key: '' };

/** Waits for writes of the batch that are under way; new ones are refused. A run that was started since ends it. */
const HOLD: Statement = {
  name: 'hold-rollback',
  text: `
    SELECT rollback, ${IS_COMPENSATING} AS compensating
    FROM batch b WHERE id = $1 AND (rollback ->> 'runId')::bigint = run_id FOR UPDATE`,
};

/** Keys are kept here for who asked: to look at the records later would show what another one, who has asked since, looks at again. */
const FINISH: Statement = {
  name: 'finish-rollback',
  text: `
    UPDATE batch SET rollback = rollback || (
      SELECT jsonb_build_object('status', 'done', 'at', clock_timestamp(),
        'restored', count(*) FILTER (WHERE outcome = 'restored'), 'removed', count(*) FILTER (WHERE outcome = 'removed'),
        'leftAlone', count(*) FILTER (WHERE outcome = 'left alone'), 'leftAloneKeys', to_jsonb(array(
          SELECT key FROM record_backup WHERE batch_id = $1 AND outcome = 'left alone' ORDER BY collection, key LIMIT 100)))
      FROM record_backup WHERE batch_id = $1
    ) || (
      SELECT jsonb_build_object('compensated', count(*) FILTER (WHERE c.outcome = 'compensated'),
        'compensationsFailed', count(*) FILTER (WHERE c.outcome = 'failed'))
      FROM run r JOIN compensation c ON c.run_id = r.id WHERE r.batch_id = $1
    ) WHERE id = $1 RETURNING rollback`,
};

/** A rollback that is done, with the keys of the first hundred records that were left alone. */
export type FinishedRollback = RollbackView & { leftAloneKeys?: string[] };

/**
 * Takes back what a batch with a due rollback changed in records, when none of its compensations is left: some hundred records a transaction. It may be cut off anywhere and begun again,
 * and several may be at it: each record is done once.
 * @param mayGoOn asked before each slice
 * @returns what came of it; undefined when it was cut off, a compensation is left, or the batch has been started again or deleted
 */
export async function rollBackBatch(
  database: Database,
  batchId: string,
  mayGoOn: () => boolean = () => true,
): Promise<FinishedRollback | undefined> {
  let position: BackupPosition | undefined = START;
  while (position && mayGoOn()) {
    const after: BackupPosition = position;
    const step = await database.transaction((connection) => takeSlice(connection, batchId, after));
    if (step?.done) return step.done;
    position = step?.next;
  }
  return undefined;
}

type Step = { next: BackupPosition; done?: undefined } | { done: FinishedRollback };

async function takeSlice(connection: Connection, batchId: string, after: BackupPosition): Promise<Step | undefined> {
  const [held] = await run<{ rollback: FinishedRollback; compensating: boolean }>(connection, HOLD, [batchId]);
  if (!held) return undefined;
  if (held.rollback.status === 'done') return { done: held.rollback };
  if (held.compensating) return undefined;
  const last = await restoreRecords(connection, batchId, after, SLICE);
  if (last) return { next: last };
  // Somebody may have asked meanwhile to look again at what was left alone: it is over when nothing is left from the start on.
  if (after !== START) return { next: START };
  const [finished] = await run<{ rollback: FinishedRollback }>(connection, FINISH, [batchId]);
  return { done: finished!.rollback };
}
