import { type Connection, run, type Statement } from '../../database/sql.js';
import { CHOSEN_OUTCOME, type ChosenItems, choiceValues } from './choose-items.js';

/** Of listed items that got no result, those whose last run ended as one of `$8`. */
const EXPECT_AGAIN: Statement = {
  name: 'expect-external-keys-again',
  text: `
    INSERT INTO external_result (run_id, key, recorded, seq)
    SELECT $9::bigint, key, false, seq FROM outcome WHERE ${CHOSEN_OUTCOME}
    UNION ALL
    SELECT $9, x.key, false, x.seq FROM external_result x JOIN run r ON r.id = x.run_id
    WHERE x.run_id = ANY ($1::bigint[]) AND r.status = ANY ($8::text[]) AND NOT x.recorded AND ($2::int[] IS NULL OR x.seq = ANY ($2))
      AND x.seq IS NOT NULL
      AND NOT EXISTS (SELECT FROM external_result y WHERE y.run_id = ANY ($1::bigint[]) AND y.run_id > x.run_id AND y.key = x.key)`,
};

/** The new run waits for results from outside for the chosen items' keys; each takes its item's place. */
export async function expectAgain(connection: Connection, items: ChosenItems, runId: string): Promise<void> {
  await run(connection, EXPECT_AGAIN, [...choiceValues(items), items.choice.unprocessedOf, runId]);
}

const HAS_LIST: Statement = { name: 'has-list-of-items', text: `SELECT EXISTS (SELECT FROM chunk WHERE run_id = $1) AS listed` };

/** Whether a batch with results from outside named its items. @param runId its first run */
export async function hasListedItems(connection: Connection, runId: string): Promise<boolean> {
  const [found] = await run<{ listed: boolean }>(connection, HAS_LIST, [runId]);
  return found!.listed;
}
