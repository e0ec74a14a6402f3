import { type Connection, run, type Statement } from '../../database/sql.js';
import type { ItemHistory } from '../item.view.js';
import type { FoundItem } from './find-item.js';
import { selectEdits } from './item-edits.js';
import { OUTCOME_COLUMNS, type OutcomeRow, toOutcomeView } from './outcome-rows.js';

const SELECT_OUTCOMES: Statement = {
  name: 'select-outcomes-of-item',
  text: `
    SELECT page.* FROM (
      SELECT o.*, r.no AS run, sum(size) OVER (ORDER BY r.no DESC) - size AS before
      FROM (SELECT ${OUTCOME_COLUMNS} FROM outcome o WHERE o.run_id = ANY ($1::bigint[]) AND o.seq = $2) o JOIN run r ON r.id = o.run_id
      ORDER BY r.no DESC LIMIT 100
    ) page WHERE before < 8000000 ORDER BY run`,
};

const IS_SUCCEEDED: Statement = {
  name: 'has-item-succeeded',
  text: `SELECT EXISTS (SELECT FROM outcome WHERE run_id = ANY ($1::bigint[]) AND seq = $2 AND status = 1 AND repeated_in IS NULL) AS succeeded`,
};

/** Whether the item's outcome that counts is a success: such an item is never repeated. */
export async function hasSucceeded(connection: Connection, runIds: string[], seq: number): Promise<boolean> {
  const [found] = await run<{ succeeded: boolean }>(connection, IS_SUCCEEDED, [runIds, seq]);
  return found!.succeeded;
}

/** @param runIds all runs of the batch, oldest first */
export async function selectHistory(
  connection: Connection,
  batch: { id: string; created_at: Date },
  runIds: string[],
  { seq, key, payload }: FoundItem,
): Promise<ItemHistory> {
  const outcomes = await run<OutcomeRow>(connection, SELECT_OUTCOMES, [runIds, seq]);
  const edits = await selectEdits(connection, batch.id, seq);
  return {
    seq,
    key,
    payloads: [
      { no: 0, payload, editedBy: null, editedAt: batch.created_at.toISOString() },
      ...edits.map((edit) => ({
        no: edit.no,
        payload: JSON.parse(edit.payload) as unknown,
        editedBy: edit.edited_by,
        editedAt: edit.edited_at.toISOString(),
      })),
    ],
    outcomes: outcomes.map(toOutcomeView),
  };
}
