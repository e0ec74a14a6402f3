import { type Connection, run, type Statement } from '../../database/sql.js';
import { Tally, type TallyJson } from '../tally.js';

const SELECT_TALLIES: Statement = {
  name: 'select-tallies',
  text: `
    SELECT tally FROM lane WHERE run_id = $1 AND tally IS NOT NULL
    UNION ALL SELECT carried_tally FROM run WHERE id = $1 AND carried_tally IS NOT NULL`,
};

/** The figures of a batch's outcomes that count, from its current run's lanes and what the run carries of earlier ones. */
export async function selectTally(connection: Connection, runId: string): Promise<Tally> {
  const tally = new Tally();
  for (const row of await run<{ tally: TallyJson }>(connection, SELECT_TALLIES, [runId])) tally.merge(row.tally);
  return tally;
}
