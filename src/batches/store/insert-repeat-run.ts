import { type Connection, run, type Statement } from '../../database/sql.js';
import { countEnded } from './ended-totals.js';
import type { Repeated } from './mark-repeated.js';

const RUN_BEFORE = `SELECT r.*, b.tenant, b.dialect, b.operation, b.options FROM run r JOIN batch b ON b.run_id = r.id WHERE r.id = $2::bigint`;

/** What the run before counted and this one does not repeat is carried on. */
const INSERT_REPEAT_RUN: Statement = {
  name: 'insert-repeat-run',
  text: `
    WITH made AS (
      INSERT INTO run (id, batch_id, no, status, sealed, total, rank,
        carried_succeeded, carried_failed, carried_skipped, carried_cancelled, carried_tally)
      SELECT $1::bigint, batch_id, no + 1, 'pending', true, $3::int + $4::int + $5::int, $6::smallint,
        carried_succeeded + succeeded, carried_failed + failed - $3, carried_skipped + skipped - $4, carried_cancelled + cancelled - $5, $7::json
      FROM run WHERE id = $2::bigint
      RETURNING batch_id
    ), lanes AS (
      INSERT INTO lane (run_id, no, width) SELECT $1, w.no - 1, w.width FROM unnest($8::smallint[]) WITH ORDINALITY AS w (width, no)
    ), uncounted AS (${countEnded(-1, RUN_BEFORE)})
    UPDATE batch b SET run_id = $1 FROM made WHERE b.id = made.batch_id`,
};

export interface RepeatRun {
  id: string;
  /** The batch's current run, which has ended. */
  after: string;
  repeated: Repeated;
  rank: number;
  /** JSON of a tally of the outcomes that it does not repeat. */
  carriedTally: string;
  /** Of its lanes. */
  widths: number[];
}

/** A new run of a batch, pending, as the current one. The caller holds the lock of the run before. */
export async function insertRepeatRun(
  connection: Connection,
  { id, after, repeated, rank, carriedTally, widths }: RepeatRun,
): Promise<void> {
  const { failed, skipped, unprocessed } = repeated;
  await run(connection, INSERT_REPEAT_RUN, [id, after, failed, skipped, unprocessed, rank, carriedTally, widths]);
}
