// A user of the service over HTTP and Socket.IO, in a process of its own.
import { setTimeout as delay } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { linesOf } from './workload.mjs';

export const API_KEY = 'key-of-the-benchmarks';
/** Items that are written at a time when they are streamed. */
const ITEMS_PER_WRITE = 5_000;

/** @returns the answer's data */
export async function ask(url, method, path, body, headers = {}) {
  const isLines = typeof body === 'string' || body instanceof ReadableStream;
  const type = body === undefined ? {} : { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' };
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'x-api-key': API_KEY, ...type, ...headers },
    body: isLines ? body : JSON.stringify(body),
    duplex: 'half',
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer.data;
}

/**
 * Streams so many items of the workload into a new batch that starts at once.
 * @param onInvalid skip: items are worked while others come in; refuse: they are added all together or not at all
 * @returns its ID
 */
export async function submit(url, { items, operation = 'amount', options = {}, onInvalid = 'skip' }) {
  const { id } = await ask(url, 'POST', '/api/batches', { operation, options, open: true, start: true });
  await ask(url, 'POST', `/api/batches/${id}/items?seal=true&onInvalid=${onInvalid}`, streamOf(items));
  return id;
}

function streamOf(items) {
  let from = 0;
  return new ReadableStream({
    pull(controller) {
      const to = Math.min(items, from + ITEMS_PER_WRITE);
      controller.enqueue(Buffer.from(linesOf(from, to)));
      from = to;
      if (from === items) controller.close();
    },
  });
}

/** Resolves with the batch when it has ended, by asking for it. */
export async function ended(url, id, everyMs = 20) {
  for (;;) {
    const batch = await ask(url, 'GET', `/api/batches/${id}`);
    if (batch.endedAt !== null) return batch;
    await delay(everyMs);
  }
}

/** For batches that will be created: their ends, by the service's events, which cost it less than to be asked. */
export async function watchEnds(url) {
  const socket = await connect(url);
  const known = new Set();
  let look;
  for (const event of ['batch.completed', 'batch.failed']) {
    socket.on(event, ({ batchId }) => {
      known.add(batchId);
      look?.();
    });
  }
  return {
    /** Resolves when the batch has ended, also when that was told before anybody knew its ID. One at a time. */
    ended: (id) =>
      new Promise((resolve) => {
        look = () => known.has(id) && resolve();
        look();
      }),
    close: () => socket.disconnect(),
  };
}

/** A connected socket. */
export async function connect(url) {
  const socket = io(url, { transports: ['websocket'], forceNew: true, auth: { apiKey: API_KEY } });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  return socket;
}
