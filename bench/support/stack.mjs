// A PostgreSQL and a Redis of its own, and processes of the service at them: what every benchmark runs against.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../dist/database/embedded-postgres.js';
import { findRedisProgram, startRedisServer } from '../../scripts/redis-server.mjs';
import { API_KEY } from './client.mjs';

const SERVICE = join(import.meta.dirname, 'service.mjs');
/** One tenant, whom nothing holds up that protects the service from strangers. */
const VARIABLES = {
  NODE_ENV: 'production',
  LOG_LEVEL: 'warn',
  PORT: '0',
  API_KEYS: `bench:${API_KEY}`,
  CREATE_LIMIT_PER_MINUTE: '1000000',
  MAX_UPLOAD_BYTES: '8000000000',
};

/**
 * Does the work with servers that end with it. PostgreSQL has its stock settings, and is as durable as the service runs it; Redis keeps
 * nothing on disk.
 * @param work gets `{ postgres: { url, pid }, redis: { url, pid, port } }`
 */
export async function withServers(work) {
  const folder = mkdtempSync(join(tmpdir(), 'batchwise-bench-'));
  const ends = [() => rmSync(folder, { recursive: true, force: true })];
  const leave = () => void end(ends).then(() => process.exit(1));
  // A terminal signals all of them; whoever ends only this process means all of them too.
  for (const signal of SIGNALS) process.once(signal, leave);
  try {
    const postgres = await startPostgres(join(folder, 'data'));
    ends.push(() => postgres.stop());
    const redis = await startRedis(join(folder, 'redis'));
    ends.push(() => redis.stop());
    return await work({ postgres, redis });
  } finally {
    await end(ends);
    for (const signal of SIGNALS) process.off(signal, leave);
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Does the work with servers and the service's processes at them.
 * @param roles of the service's processes, one each; the first one that answers requests is the stack's `url`
 * @param env the service's variables beside the addresses
 * @param work gets `{ url, services: [{ role, url, pid }], postgres, redis }`
 */
export function withStack({ roles, env }, work) {
  return withServers(async ({ postgres, redis }) => {
    const services = [];
    try {
      for (const role of roles) services.push(await startService(role, { postgres, redis, env }));
      return await work({ url: services[0]?.url, services, postgres, redis });
    } finally {
      for (const service of services.reverse()) await service.stop();
    }
  });
}

/** One process of the built service, with the operations of ./service.mjs. */
export async function startService(role, { postgres, redis, env }) {
  const addresses = { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
  const variables = { PATH: process.env.PATH, ...VARIABLES, ROLE: role, ...addresses, ...env };
  const child = fork(SERVICE, { env: variables, execArgv: ['--heap-growing-percent=40', '--max-semi-space-size=32'] });
  const exited = once(child, 'exit');
  const [url] = await Promise.race([once(child, 'message'), exited]);
  if (typeof url !== 'string') throw new Error(`the service's ${role} process did not start; what it said is above`);
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { role, url, pid: child.pid, stop };
}

async function startPostgres(folder) {
  const { url, stop } = await startEmbeddedPostgres(folder, { settings: { max_connections: '200' } });
  const pid = Number(readFileSync(join(folder, 'postgres-18/postmaster.pid'), 'utf8').split('\n', 1)[0]);
  return { url, pid, stop };
}

async function startRedis(folder) {
  const program = findRedisProgram(console.log);
  if (!program) throw new Error('There is no Redis server: install redis-server or valkey-server.');
  mkdirSync(folder);
  const { url, port, stop } = await startRedisServer(program, folder);
  const pid = Number(readFileSync(join(folder, 'redis.pid'), 'utf8'));
  return { url, port, pid, stop };
}

/** What was started last ends first. */
async function end(ends) {
  for (let stop = ends.pop(); stop; stop = ends.pop()) await stop();
}
