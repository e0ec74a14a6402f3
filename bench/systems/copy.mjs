// What PostgreSQL takes in at most over one connection: the finished result rows, and nothing else.
import pg from 'pg';
import { copyQuery } from '../support/copy.mjs';
import { OUTCOME_COLUMNS, outcomeRow, outcomeTable } from '../support/outcome-rows.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

export default {
  title: 'COPY FROM STDIN of the finished result rows',
  stores: 'a row an item',
  packages: ['pg'],

  async start({ postgres }) {
    const client = new pg.Client(postgres.url);
    await client.connect();
    await client.query(outcomeTable());
    let runs = 0;
    let rows;
    return {
      prepare(items) {
        runs += 1;
        rows = [...slicesOf(items)].map((slice) => Buffer.from(rowsOf(runs, slice)));
      },
      work: () => copyQuery(client, `COPY outcome (${OUTCOME_COLUMNS}) FROM STDIN`, rows),
      recorded: async () => (await client.query('SELECT count(*)::int FROM outcome')).rows[0].count,
    };
  },
};

/** Their durations are made up: as text they are as long as measured ones. */
export function rowsOf(runId, items) {
  return items.map((item) => outcomeRow(runId, item.id, { durationMs: 0.001 * (item.id % 977), ...workItem(item) })).join('');
}
