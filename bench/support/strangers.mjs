// Attackers, in a process of their own: clients without credentials, each of which sends a megabyte of JSON, reads what it is answered,
// and begins anew; or one with credentials that sends all its messages at once.
import { Agent, request } from 'node:http';
import { connect } from './client.mjs';

const [, , url, kind, count] = process.argv;
/** How many requests ended how. */
const answers = {};
let stopped = false;
process.on('message', (message) => {
  if (message === 'start') start();
  else {
    stopped = true;
    process.send(answers, () => process.exit());
  }
});
process.on('disconnect', () => process.exit());
let start;
if (kind === 'bodies') sendBodies();
else await sendMessages();

function sendBodies() {
  const items = Array.from({ length: 14_000 }, (_, n) => ({ key: `item-${n}`, payload: { n, tags: ['a', 'b'] } }));
  const body = JSON.stringify({ operation: 'noop', items }).slice(0, 1_000_000);
  const agent = new Agent({ keepAlive: true });
  const sendOn = async () => {
    while (!stopped) await sendOne(body, agent);
  };
  start = () => {
    for (let n = 0; n < Number(count); n += 1) void sendOn();
  };
  process.send('ready');
}

function sendOne(body, agent) {
  return new Promise((resolve) => {
    const end = (how) => {
      answers[how] = (answers[how] ?? 0) + 1;
      resolve();
    };
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const sending = request(`${url}/api/batches`, { method: 'POST', agent, headers }, (response) => {
      response.resume().once('close', () => end(response.statusCode));
    });
    sending.once('error', () => end('cut off'));
    sending.end(body);
  });
}

async function sendMessages() {
  const socket = await connect(url);
  socket.once('disconnect', () => (answers.closed = 1));
  start = () => {
    for (let n = 0; n < Number(count); n += 1) {
      socket.emit('batch.catchUp', { batchId: 'unknown' }, ({ statusCode }) => (answers[statusCode] = (answers[statusCode] ?? 0) + 1));
    }
  };
  process.send('ready');
}
