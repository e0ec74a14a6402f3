// What a benchmark has the service do, and how it learns that all of it is done.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ask } from './client.mjs';
import { assertCount } from './command.mjs';

/** Does so many pieces of work, a few at a time. @returns what each gave, in order */
export async function sideBySide(count, width, work) {
  const results = new Array(count);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
  return results;
}

/** A batch of a few items, made with one request. @returns its ID */
export async function create(url, batch) {
  const { id } = await ask(url, 'POST', '/api/batches', batch);
  return id;
}

/** A batch that waits to be started, of items that wait: more of them than one request may list. @returns its ID */
export async function createWaiting(url, { items, itemMs, concurrency }) {
  const id = await create(url, { operation: 'waiting', options: { concurrency }, open: true });
  const lines = `${JSON.stringify({ payload: { durationMs: itemMs } })}\n`.repeat(items);
  await ask(url, 'POST', `/api/batches/${id}/items?seal=true`, lines);
  return id;
}

/** So many batches that wait to be started. @returns their IDs */
export function createAll(url, count, batch) {
  return sideBySide(count, 4, () => create(url, { ...batch, start: false }));
}

export async function startAll(url, ids) {
  await Promise.all(ids.map((id) => ask(url, 'POST', `/api/batches/${id}/start`, {})));
}

export async function cancelAll(url, ids) {
  await Promise.all(ids.map((id) => ask(url, 'POST', `/api/batches/${id}/cancel`, {})));
}

/** Does the work with a connection to the service's database. */
export async function withDatabase({ url }, work) {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export async function valueOf(database, sql, values = []) {
  const { rows } = await database.query({ text: sql, values, rowMode: 'array' });
  return rows[0][0];
}

const COUNT_OPEN = `SELECT count(*)::int FROM run WHERE status IN ('pending', 'running', 'paused', 'stopping')`;

/** Resolves when no batch is open. The database is asked, since that costs the service nothing. */
export async function allEnded(database, everyMs = 20) {
  while ((await valueOf(database, COUNT_OPEN)) > 0) await delay(everyMs);
}

export function countOutcomes(database) {
  return valueOf(database, 'SELECT count(*)::int FROM outcome');
}

const COUNT_WRONG = `
  SELECT count(*)::int FROM run r LEFT JOIN (
    SELECT run_id, count(*) AS items, count(*) FILTER (WHERE status = 1) AS succeeded FROM outcome GROUP BY run_id
  ) o ON o.run_id = r.id
  WHERE r.status <> 'completed' OR r.succeeded <> r.total OR coalesce(o.items, 0) <> r.total OR coalesce(o.succeeded, 0) <> r.total`;

/** @throws unless every batch has ended with one outcome an item, all of them successes, and there are so many of them in all */
export async function assertAllSucceeded(database, items) {
  assertCount('outcomes', await countOutcomes(database), items);
  assertCount('batches with wrong counts', await valueOf(database, COUNT_WRONG), 0);
}
