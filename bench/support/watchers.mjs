// Many sockets that listen, in a process of their own: told by arguments where and how many, it answers each message with what they heard.
import { connect } from './client.mjs';

const [, , url, count] = process.argv;
const sockets = [];
/** Arrivals by their delay in whole milliseconds. */
const delays = { all: new Map(), completed: new Map() };
/** Batches whose end a socket has heard of, of each socket. */
const heardEnds = [];
const heard = { messages: 0, firstAt: Infinity, lastAt: 0 };

process.once('disconnect', () => process.exit());
for (let n = 0; n < Number(count); n += 1) sockets.push(await connect(url));
for (const socket of sockets) listen(socket);
process.on('message', () => process.send(report()));
process.send('ready');

function listen(socket) {
  const ends = new Set();
  heardEnds.push(ends);
  socket.onAny((name, { batchId, at }) => {
    const now = Date.now();
    heard.messages += 1;
    heard.firstAt = Math.min(heard.firstAt, now);
    heard.lastAt = now;
    if (name === 'batch.completed') ends.add(batchId);
    // Messages of the ERP module's pages say no time.
    if (at === undefined) return;
    const delay = Math.max(0, now - Date.parse(at));
    add(delays.all, delay);
    if (name === 'batch.completed') add(delays.completed, delay);
  });
}

function add(histogram, delay) {
  histogram.set(delay, (histogram.get(delay) ?? 0) + 1);
}

function report() {
  return { ...heard, ends: heardEnds.map(({ size }) => size), delays: { all: [...delays.all], completed: [...delays.completed] } };
}
