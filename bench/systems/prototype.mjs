// The layout of the service without the service: chunks of packed items, lanes that claim them, an outcome row an item, and one round
// trip a chunk. No NestJS, no HTTP, no checks, no events, no retries, no time limits.
import Queue from 'bull';
import pg from 'pg';
import { copyQuery, copyText } from '../support/copy.mjs';
import { DoneCount } from '../support/done-count.mjs';
import { OUTCOME_COLUMNS, outcomeRow, outcomeTable } from '../support/outcome-rows.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

const CHUNK = 500;
const LANES = 2;
const SCHEMA = `
  CREATE TABLE batch (id bigserial PRIMARY KEY, total integer NOT NULL, status text NOT NULL);
  CREATE TABLE chunk (
    batch_id bigint NOT NULL,
    no integer NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    fence integer NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    succeeded integer NOT NULL DEFAULT 0,
    PRIMARY KEY (batch_id, no)
  ) WITH (fillfactor = 50);
  CREATE INDEX chunk_open ON chunk (batch_id, no) WHERE state < 2;
  CREATE TABLE chunk_items (batch_id bigint NOT NULL, no integer NOT NULL, items text, PRIMARY KEY (batch_id, no));
  ${outcomeTable({ primaryKey: false })}
  CREATE INDEX ON outcome USING brin (run_id, seq) WITH (pages_per_range = 16);`;

export default {
  title: 'Bare prototype of the layout, no service around it',
  stores: 'a row an item, without its unique key; counts',
  packages: ['bull', 'ioredis', 'pg'],

  async start({ postgres, redis, fail }) {
    const clients = Array.from({ length: 1 + LANES }, () => new pg.Client(postgres.url));
    await Promise.all(clients.map((client) => client.connect()));
    const [submitter, ...workers] = clients;
    await submitter.query(SCHEMA);
    const queue = new Queue('lanes', redis.url);
    const done = new DoneCount();
    queue.on('completed', (job, isLast) => isLast && done.add());
    queue.on('failed', (job, error) => fail(error));
    await queue.isReady();
    void queue.process(LANES, ({ data }) => workLane(workers[data.lane], data.batchId));
    return {
      async work(items) {
        const all = done.more(1);
        const batchId = await submit(submitter, items);
        await queue.addBulk(workers.map((_, lane) => ({ data: { batchId, lane }, opts: { removeOnComplete: true } })));
        await all;
      },
      recorded: async () => {
        const { rows } = await submitter.query('SELECT count(*)::int, count(DISTINCT (run_id, seq))::int AS different FROM outcome');
        return rows[0].different === rows[0].count ? rows[0].count : fail(new Error(`${rows[0].count - rows[0].different} twice`));
      },
    };
  },
};

/** The batch is there whole or not at all. */
async function submit(client, items) {
  await client.query('BEGIN');
  const { rows } = await client.query("INSERT INTO batch (total, status) VALUES ($1, 'running') RETURNING id", [items]);
  const batchId = rows[0].id;
  let no = 0;
  for (const slice of slicesOf(items)) {
    const chunks = Array.from({ length: Math.ceil(slice.length / CHUNK) }, (_, n) => slice.slice(n * CHUNK, (n + 1) * CHUNK));
    const text = chunks.map((chunk, n) => `${batchId}\t${no + n}\t${copyText(JSON.stringify(chunk))}\n`).join('');
    const numbers = `generate_series(${no}, ${no + chunks.length - 1}) AS no`;
    await copyQuery(client, `INSERT INTO chunk (batch_id, no) SELECT ${batchId}, no FROM ${numbers}; COPY chunk_items FROM STDIN`, [text]);
    no += chunks.length;
  }
  await client.query('COMMIT');
  return batchId;
}

/** @returns whether it ended the batch */
async function workLane(client, batchId) {
  const claim = claimOf(batchId);
  let [claimed] = await copyQuery(client, claim);
  while (claimed) {
    const [no, fence, items] = claimed;
    const work = await workChunk(batchId, no * CHUNK, JSON.parse(items));
    const text = `${finishOf({ batchId, no, fence, succeeded: work.length })}; COPY outcome (${OUTCOME_COLUMNS}) FROM STDIN; ${claim}`;
    [claimed] = await copyQuery(client, text, [work.join('')]);
  }
  const { rowCount } = await client.query(END, [batchId]);
  return rowCount === 1;
}

async function workChunk(batchId, firstSeq, items) {
  const rows = [];
  for (const [place, item] of items.entries()) {
    const startedAt = performance.now();
    const result = await workItem(item);
    rows.push(
      outcomeRow(batchId, firstSeq + place, { durationMs: Math.round((performance.now() - startedAt) * 1_000) / 1_000, ...result }),
    );
  }
  return rows;
}

/** A chunk whose lease has ended is claimed again. */
function claimOf(batchId) {
  return `
    WITH next AS (
      SELECT no FROM chunk WHERE batch_id = ${batchId} AND state < 2 AND lease_until < now() ORDER BY no LIMIT 1 FOR UPDATE SKIP LOCKED
    ), claimed AS (
      UPDATE chunk c SET state = 1, fence = fence + 1, lease_until = now() + interval '30 seconds'
      FROM next WHERE c.batch_id = ${batchId} AND c.no = next.no RETURNING c.no, c.fence
    )
    SELECT c.no, c.fence, (SELECT items FROM chunk_items i WHERE i.batch_id = ${batchId} AND i.no = c.no) FROM claimed c`;
}

/** Divides by zero when the chunk was claimed by another lane meanwhile, so that nothing is written. */
function finishOf({ batchId, no, fence, succeeded }) {
  return `
    WITH finished AS (
      UPDATE chunk SET state = 2, succeeded = ${succeeded} WHERE batch_id = ${batchId} AND no = ${no} AND fence = ${fence} AND state = 1 RETURNING 1
    )
    SELECT 1 / (SELECT count(*) FROM finished)`;
}

const END = `
  UPDATE batch SET status = 'completed' WHERE id = $1 AND status = 'running'
    AND NOT EXISTS (SELECT FROM chunk WHERE batch_id = $1 AND state < 2)`;
