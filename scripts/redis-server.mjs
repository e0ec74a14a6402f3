// Finds a Redis server program, or fetches one, and runs private servers with it. For tests: the service itself is given a REDIS_URL.
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnSupervised } from '../dist/database/embedded-supervisor.js';
import { CACHE, fetchDebianPackage } from './debian-package.mjs';

const FETCHED = join(CACHE, 'redis-server/redis-server');
const START_ATTEMPTS = 5;
const START_TIMEOUT_MS = 20_000;

/** The path of a Redis (or Valkey) server program; undefined when there is none and none can be had. */
export function findRedisProgram(report) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = ['redis-server', 'valkey-server'].flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...candidates, FETCHED].find(isExecutable) ?? fetchRedis(report);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** In a folder of its own: the libraries that came along are found beside it; those that the system has already were not fetched. */
function fetchRedis(report) {
  const root = fetchDebianPackage('redis-server', report);
  if (!root) return undefined;
  const script = `#!/bin/sh\nhere=$(dirname "$0")/root/usr\nLD_LIBRARY_PATH=$(echo "$here"/lib/*-linux-gnu) exec "$here/bin/redis-server" "$@"\n`;
  writeFileSync(FETCHED, script, { mode: 0o755 });
  return FETCHED;
}

/** Starts a server of our own without persistence, on the given port or a free one; its files lie in the folder. It ends with this process. */
export async function startRedisServer(program, folder, port) {
  const log = join(folder, 'redis.log');
  const pidFile = join(folder, 'redis.pid');
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt++) {
    const chosen = port ?? (await freePort());
    const output = openSync(log, 'w');
    const settings = { port: chosen, bind: '127.0.0.1', save: '', appendonly: 'no', dir: folder, pidfile: pidFile };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const server = spawnSupervised(program, args, { output });
    closeSync(output);
    if (await answers(chosen, server)) {
      return {
        url: `redis://127.0.0.1:${chosen}`,
        port: chosen,
        stop: () => server.stop(),
        kill: async () => {
          process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
          await server.exited;
        },
      };
    }
    await server.stop();
  }
  throw new Error(`${program} did not start. What it said last:\n${existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : ''}`);
}

/** True when a PING is answered, false when the server ended instead, for instance because somebody took the port. */
async function answers(port, server) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!server.hasExited() && Date.now() < deadline) {
    if (await ping(port)) return true;
    await delay(20);
  }
  return false;
}

function ping(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => end(data.toString().startsWith('+PONG')));
    socket.once('error', () => end(false));
    socket.setTimeout(1000, () => end(false));
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
