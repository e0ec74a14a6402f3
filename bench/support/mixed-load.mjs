// A little of everything that the service does, as one round: items, records, small files, reads.
import { setTimeout as delay } from 'node:timers/promises';
import { API_KEY, ask, ended, submit } from './client.mjs';

const RECORDS = 20_000;

/** Stores a file. @returns its ID */
export async function store(url, { name, bytes }) {
  const form = new FormData();
  form.append('file', new Blob([bytes]), name);
  const response = await fetch(`${url}/api/files`, { method: 'POST', body: form, headers: { 'x-api-key': API_KEY } });
  const answer = await response.json();
  if (!response.ok) throw new Error(`POST /api/files: ${response.status} ${JSON.stringify(answer)}`);
  return answer.data.id;
}

/** Has a stored file read so many times at once, by what reads its kind. @returns how often it was read */
export async function readFile(url, { name, id }, times) {
  const isPicture = /\.(jpg|png|webp|tif|gif)$/.test(name);
  const operation = isPicture ? 'annotate-image' : 'read-file';
  const item = isPicture ? { key: id } : { payload: { fileId: id } };
  const batch = await ask(url, 'POST', '/api/batches', { operation, items: Array(times).fill(item) });
  return (await ended(url, batch.id, 200)).counts.succeeded;
}

/** One round. @param items of the batch that does nothing with them */
export async function mixedRound(url, { items, files, round }) {
  await Promise.all([
    submit(url, { items, options: { concurrency: 100 } }).then((id) => ended(url, id, 200)),
    importAndAnnotate(url, Math.min(RECORDS, items), `records_${round % 5}`),
    ...files.map((file) => readFile(url, file, 2)),
  ]);
}

async function importAndAnnotate(url, count, collection) {
  const lines = Array.from({ length: count }, (_, n) => `{"sku":"${n}","text":"Invoice from Acme Corp in Paris for ${n} steel desks."}\n`);
  const headers = { 'content-type': 'application/x-ndjson' };
  const { id } = await ask(url, 'POST', `/api/records/${collection}/import?keyField=sku`, lines.join(''), headers);
  await ended(url, id, 200);
  const annotate = { operation: 'annotate', parameters: { collection }, items: Array.from({ length: 500 }, (_, n) => ({ key: `${n}` })) };
  await ended(url, (await ask(url, 'POST', '/api/batches', annotate)).id, 200);
}

/** Time in which a process gives back what it can. */
export function settled(quick) {
  return delay(quick ? 100 : 20_000);
}
