import { type Connection, run, type Statement } from '../../database/sql.js';

/** Its lanes are those of the run before. What that one counted and this one does not repeat is carried on. */
const INSERT_REPEAT_RUN: Statement = {
  name: 'insert-repeat-run',
  text: `
    WITH made AS (
      INSERT INTO run (id, batch_id, no, status, sealed, total, rank,
        carried_succeeded, carried_failed, carried_skipped, carried_cancelled, carried_tally)
      SELECT $1::bigint, batch_id, no + 1, 'pending', true, $3::int, rank,
        carried_succeeded + succeeded, carried_failed + failed - $3, carried_skipped + skipped, carried_cancelled + cancelled, $4::json
      FROM run WHERE id = $2::bigint
      RETURNING batch_id
    ), lanes AS (
      INSERT INTO lane (run_id, no, width) SELECT $1, no, width FROM lane WHERE run_id = $2
    )
    UPDATE batch b SET run_id = $1 FROM made WHERE b.id = made.batch_id`,
};

export interface RepeatRun {
  id: string;
  /** The batch's current run, which has ended. */
  after: string;
  /** Number of its items. */
  total: number;
  /** JSON of a tally of the outcomes that it does not repeat. */
  carriedTally: string;
}

/** A new run of a batch, pending, as the current one. The caller holds the lock of the run before. */
export async function insertRepeatRun(connection: Connection, { id, after, total, carriedTally }: RepeatRun): Promise<void> {
  await run(connection, INSERT_REPEAT_RUN, [id, after, total, carriedTally]);
}
