// Makes a batch of a million items out of one that the service worked, whose items fill one chunk.
import { Tally } from '../../dist/batches/tally.js';
import { valueOf } from './load.mjs';
import { copyRows } from './copied-rows.mjs';

/** One of a hundred, chosen by the item's position. */
const FAILED = '(hashint4(t.seq + k * $SIZE) % 100 = 0)';
const ERROR = `'field "f' || abs(hashint4(t.seq * 31 + k)) % 60 || '" is missing'`;
const STACK = `E'ValidationError: a field is missing\\n' || repeat(E'    at check (file:///srv/handlers/check-fields.js:120:11)\\n', 10)`;
const EVENTS = 1_000;
const METRICS = 900;

/** @param id of a finished batch of `size` items, all of which succeeded */
export async function enlarge(database, id, { size, times }) {
  const runId = await valueOf(database, 'SELECT run_id FROM batch WHERE id = $1', [id]);
  const per = `generate_series(1, ${times - 1}) k WHERE t.run_id = ${runId}`;
  await copyRows(database, 'chunk', { per, set: { no: `t.no + k * ${size}` } });
  await copyRows(database, 'chunk_items', { per, set: { no: `t.no + k * ${size}` } });
  await copyRows(database, 'outcome', { per, set: outcomeColumns(size) });
  await tellLanes(database, runId);
  await database.query(
    `UPDATE run SET total = $2, next_seq = $2, succeeded = l.succeeded, failed = l.failed, ended_at = started_at + interval '30 minutes'
     FROM (SELECT sum(succeeded) AS succeeded, sum(failed) AS failed FROM lane WHERE run_id = $1) l WHERE id = $1`,
    [runId, size * times],
  );
  await addEvents(database, id, size * times);
  await copyRows(database, 'batch_metric', { per: `generate_series(1, ${METRICS}) k WHERE t.batch_id = '${id}'`, set: {} });
}

function outcomeColumns(size) {
  const failed = FAILED.replace('$SIZE', size);
  const ifFailed = (then, otherwise) => `CASE WHEN ${failed} THEN ${then} ELSE ${otherwise} END`;
  return {
    seq: `t.seq + k * ${size}`,
    key: `(t.seq + k * ${size} + 1)::text`,
    status: ifFailed(2, 1),
    attempts: ifFailed(4, 1),
    duration_ms: 'exp(random_normal(3.7, 0.8))',
    quality: ifFailed('NULL', 't.quality'),
    error_kind: ifFailed(`'error'`, 'NULL'),
    error: ifFailed(ERROR, 'NULL'),
    error_stack: ifFailed(STACK, 'NULL'),
    output: ifFailed(`'null'`, 't.output'),
  };
}

/** Lanes hold counts and figures of what they recorded. */
async function tellLanes(database, runId) {
  const lanes = await valueOf(database, 'SELECT count(*)::int FROM lane WHERE run_id = $1', [runId]);
  for (let lane = 0; lane < lanes; lane += 1) {
    const { rows } = await database.query(
      'SELECT status, duration_ms, quality, error_kind, error FROM outcome WHERE run_id = $1 AND seq % $2 = $3',
      [runId, lanes, lane],
    );
    const failed = rows.filter(({ status }) => status === 2).length;
    await database.query('UPDATE lane SET succeeded = $3, failed = $4, tally = $5 WHERE run_id = $1 AND no = $2', [
      runId,
      lane,
      rows.length - failed,
      failed,
      JSON.stringify(tallyOf(rows)),
    ]);
  }
}

function tallyOf(rows) {
  const tally = new Tally();
  for (const { duration_ms: duration, quality, error_kind: kind, error } of rows) {
    tally.addDuration(duration);
    if (quality !== null) tally.addQuality(quality);
    if (error !== null) tally.addError(kind, error);
  }
  return tally;
}

/** The progress of half an hour, between its start and its end. */
async function addEvents(database, id, items) {
  await database.query(`UPDATE batch_event SET seq = seq + ${EVENTS} WHERE batch_id = $1 AND type = 'batch.completed'`, [id]);
  await copyRows(database, 'batch_event', {
    per: `generate_series(1, ${EVENTS}) k WHERE t.batch_id = '${id}' AND t.type = 'batch.started'`,
    set: {
      seq: 't.seq + k',
      type: `'batch.progress'`,
      at: `t.at + k * interval '1.8 seconds'`,
      data: `jsonb_set(t.data::jsonb, '{counts,succeeded}', to_jsonb(k * ${Math.floor(items / EVENTS)}))::json`,
    },
  });
  await database.query(`UPDATE batch SET event_seq = event_seq + ${EVENTS} WHERE id = $1`, [id]);
}
