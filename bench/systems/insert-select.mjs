// The same without a client: PostgreSQL copies the result rows from a table without a log or an index.
import pg from 'pg';
import { copyQuery } from '../support/copy.mjs';
import { OUTCOME_COLUMNS, outcomeTable } from '../support/outcome-rows.mjs';
import { slicesOf } from '../support/workload.mjs';
import { rowsOf } from './copy.mjs';

export default {
  title: 'INSERT ... SELECT of the result rows',
  stores: 'a row an item',
  packages: ['pg'],

  async start({ postgres }) {
    const client = new pg.Client(postgres.url);
    await client.connect();
    await client.query(outcomeTable() + outcomeTable({ name: 'source', unlogged: true, primaryKey: false }));
    let runs = 0;
    return {
      async prepare(items) {
        runs += 1;
        await client.query('TRUNCATE source');
        const rows = [...slicesOf(items)].map((slice) => rowsOf(runs, slice));
        await copyQuery(client, `COPY source (${OUTCOME_COLUMNS}) FROM STDIN`, rows);
        await client.query('VACUUM ANALYZE source');
      },
      work: () => client.query(`INSERT INTO outcome (${OUTCOME_COLUMNS}) SELECT ${OUTCOME_COLUMNS} FROM source`),
      recorded: async () => (await client.query('SELECT count(*)::int FROM outcome')).rows[0].count,
    };
  },
};
