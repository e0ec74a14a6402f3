// What an attacker costs everybody else: clients without credentials that send large bodies, connections that send slowly or nothing, a
// flood of messages, many subscriptions; and how long the service takes to end while connections are open.
//   npm run bench:attack -- [--senders 8] [--connections 200] [--messages 10000] [--subscriptions 3000] [--ms 10000] [--patience 150]
//     [--out result.json] [--quick]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { API_KEY } from './support/client.mjs';
import { present, readOptions, short } from './support/command.mjs';
import { forkChild } from './support/ends.mjs';
import { create } from './support/load.mjs';
import { cpuSeconds, memoryMb, percentile } from './support/measure.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({
  senders: { full: 8, quick: 2 },
  connections: { full: 200, quick: 8 },
  messages: { full: 10_000, quick: 2_000 },
  subscriptions: { full: 3_000, quick: 20 },
  ms: { full: 10_000, quick: 300 },
  // Seconds to wait for slow connections to be closed.
  patience: { full: 150, quick: 20 },
});
const MAIN = join(import.meta.dirname, '../dist/main.js');
const KEY = `x-api-key: ${API_KEY}\r\n`;
/** What somebody has sent on a connection of his, and not more. */
const CONNECTIONS = {
  none: '',
  'an idle connection': '',
  'a kept connection': `GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  'half a header': 'GET /health/live HTTP/1.1\r\nHo',
  'half a body': `POST /api/records/half/import HTTP/1.1\r\nHost: localhost\r\n${KEY}Content-Type: text/csv\r\nContent-Length: 1000\r\n\r\nkey\n`,
};
/** In a quick run nobody waits for half a minute. */
const env = options.quick ? { HEADERS_TIMEOUT_MS: '500', BODY_IDLE_MS: '500' } : {};

const figures = await withStack({ roles: ['all'], env: { ...env, SUBSCRIPTIONS_PER_TENANT: '1000000' } }, async (stack) => {
  const { url, services, postgres } = stack;
  await readFor(url, options.ms / 10);
  const alone = await readFor(url, options.ms);
  const senders = await besideAttackers(stack, 'bodies', options.senders);
  console.log(`alone: ${short(alone.p50)} ms, beside ${options.senders} senders: ${short(senders.p50)} ms`);
  const slow = await besideSlow(url);
  console.log(`${slow.closed} of ${options.connections} slow connections were closed after ${short(slow.seconds)} s at the latest`);
  const flood = await besideAttackers(stack, 'messages', options.messages);
  console.log(`${options.messages} messages: the longest answer took ${short(flood.max)} ms`);
  const subscriptions = await subscriptionsOf(url, services[0].pid);
  console.log(`${subscriptions.open} subscriptions: ${short(subscriptions.kilobytes)} kB each`);
  const ends = [];
  for (const what of Object.keys(CONNECTIONS)) ends.push(await endWith(what, postgres.url));
  return { alone, senders, slow, flood, subscriptions, ends };
});
report();

/** Another client's requests, one after the other, for so long or until the work is done. @returns milliseconds of each */
async function readFor(url, ms, until = () => false) {
  const times = [];
  const startedAt = performance.now();
  do {
    const sentAt = performance.now();
    const response = await fetch(`${url}/api/batches?limit=20`, { headers: { 'x-api-key': API_KEY } });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the reader was answered ${response.status}`);
    times.push(performance.now() - sentAt);
  } while (performance.now() - startedAt < ms && !until());
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(times, share));
  return { requests: times.length, p50, p99, max };
}

/** @param kind bodies of clients without credentials, or messages of one that has some. @returns the reader's times, and what they were answered */
async function besideAttackers({ url, services }, kind, count) {
  const child = forkChild(join(import.meta.dirname, 'support/strangers.mjs'), [url, kind, String(count)]);
  await once(child, 'message');
  const usedBefore = cpuSeconds(services[0].pid);
  const reading = readFor(url, options.ms);
  child.send('start');
  const reader = await reading;
  const cpu = cpuSeconds(services[0].pid) - usedBefore;
  const heard = once(child, 'message');
  child.send('stop');
  const [answers] = await heard;
  return { ...reader, cpu, answers };
}

/** Connections that stop in their headers or their body, and ones that send a byte a second. */
async function besideSlow(url) {
  const { hostname, port } = new URL(url);
  const head = `POST /api/records/slow/import HTTP/1.1\r\nHost: ${hostname}\r\n${KEY}Content-Type: text/csv\r\n`;
  const kinds = ['', 'GET /api/bat', head, `${head}Content-Length: 1000000\r\n\r\nkey\n`];
  const startedAt = performance.now();
  const closings = [];
  const sockets = Array.from({ length: options.connections }, (_, n) => {
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.write(kinds[n % kinds.length]);
    socket.resume();
    const timer = n % 8 < 4 && n % kinds.length !== 0 ? setInterval(() => socket.writable && socket.write('x'), 1_000) : undefined;
    socket.once('close', () => {
      clearInterval(timer);
      closings.push((performance.now() - startedAt) / 1_000);
    });
    return socket;
  });
  const reader = await readFor(url, options.ms);
  while (closings.length < sockets.length && performance.now() - startedAt < options.patience * 1_000) await delay(100);
  const closed = closings.length;
  for (const socket of sockets) socket.destroy();
  return { ...reader, closed, seconds: closed > 0 ? Math.max(...closings.slice(0, closed)) : options.patience };
}

/** Memory that open subscriptions to one batch cost. */
async function subscriptionsOf(url, pid) {
  const id = await create(url, { operation: 'waiting', items: [{ payload: { durationMs: 1 } }], start: false });
  const before = memoryMb(pid);
  const input = encodeURIComponent(JSON.stringify({ batchId: id }));
  const { hostname, port } = new URL(url);
  const sockets = [];
  for (let n = 0; n < options.subscriptions; n += 1) {
    const socket = connect(Number(port), hostname);
    socket.write(`GET /trpc/batch.onEvent?input=${input} HTTP/1.1\r\nHost: ${hostname}\r\n${KEY}Accept: text/event-stream\r\n\r\n`);
    sockets.push(socket);
    if (n % 50 === 49 || n === options.subscriptions - 1) await once(socket, 'data');
  }
  await delay(options.ms / 2);
  const kilobytes = ((memoryMb(pid) - before) * 1_024) / sockets.length;
  for (const socket of sockets) socket.destroy();
  return { open: sockets.length, kilobytes };
}

/** Seconds from SIGTERM to the end of a process of its own, while somebody holds a connection to it. */
async function endWith(what, databaseUrl) {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'silent', API_KEYS: `bench:${API_KEY}`, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (text) => (printed += text));
  while (!printed.includes('is listening at')) await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  const { hostname, port } = new URL(/is listening at (\S+)/.exec(printed)[1]);
  const socket = what === 'none' ? undefined : connect(Number(port), hostname).on('error', () => undefined);
  socket?.write(CONNECTIONS[what]);
  socket?.resume();
  await delay(500);
  const startedAt = performance.now();
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const [code] = await exited;
  socket?.destroy();
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(`SIGTERM with ${what}: ${short(seconds)} s, code ${code}`);
  return { what, seconds, code };
}

function report() {
  const { alone, senders, slow, flood, subscriptions, ends } = figures;
  const reader = ({ p50, p99, max }) => [p50, p99, max].map(short);
  present(
    {
      title: 'Another client’s requests, in milliseconds, and the service’s end',
      columns: ['Beside', '>p50', '>p99', '>max', 'What came of it'],
      rows: [
        ['nobody', ...reader(alone), ''],
        [
          `${options.senders} senders without credentials`,
          ...reader(senders),
          `${JSON.stringify(senders.answers)}, ${short(senders.cpu)} s of processor time for all`,
        ],
        [`${options.connections} slow connections`, ...reader(slow), `${slow.closed} closed, the last after ${short(slow.seconds)} s`],
        [
          `${options.messages} messages at once`,
          ...reader(flood),
          `${JSON.stringify(flood.answers)}, ${short(flood.cpu)} s of processor time for all`,
        ],
        [`${subscriptions.open} subscriptions`, '', '', '', `${short(subscriptions.kilobytes)} kB each`],
        ...ends.map(({ what, seconds, code }) => [`SIGTERM, ${what}`, '', '', '', `${short(seconds)} s, code ${code}`]),
      ],
      result: { ...options, ...figures },
    },
    options,
  );
}
