// A PostgreSQL and a Redis of its own, and processes of the service at them: what every benchmark runs against.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Redis from 'ioredis';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/database/embedded-postgres.js';
import { findRedisProgram, startRedisServer } from '../../scripts/redis-server.mjs';
import { API_KEY } from './client.mjs';
import { forkChild, withEnds } from './ends.mjs';

const SERVICE = join(import.meta.dirname, 'service.mjs');
/** One tenant, whom nothing holds up that protects the service from strangers. */
const VARIABLES = {
  // As `npm start` has it.
  MALLOC_MMAP_THRESHOLD_: '131072',
  NODE_ENV: 'production',
  LOG_LEVEL: 'warn',
  PORT: '0',
  API_KEYS: `bench:${API_KEY}`,
  CREATE_LIMIT_PER_MINUTE: '1000000',
  MAX_UPLOAD_BYTES: '8000000000',
  SOCKETS_PER_TENANT: '1000000',
};

/**
 * Does the work with servers that end with it. PostgreSQL has its stock settings, and is as durable as the service runs it; Redis keeps
 * nothing on disk.
 * @param work gets `{ postgres: { url, pid }, redis: { url, pid, port } }`
 */
function withServers(work) {
  return withEnds(async (onEnd) => {
    const folder = mkdtempSync(join(tmpdir(), 'batchwise-bench-'));
    onEnd(() => rmSync(folder, { recursive: true, force: true }));
    // Whoever interrupts while one starts has to wait for it.
    const started = async (starting) => {
      onEnd(() => starting.then((server) => server.stop()));
      return starting;
    };
    const postgres = await started(startPostgres(join(folder, 'data')));
    const redis = await started(startRedis(join(folder, 'redis')));
    return work({ postgres, redis });
  });
}

/**
 * Does the work with servers and the service's processes at them.
 * @param roles of the service's processes, one each; the first one that answers requests is the stack's `url`
 * @param env the service's variables beside the addresses
 * @param work gets `{ url, services: [{ role, url, pid }], postgres, redis }`
 */
export function withStack({ roles, env }, work) {
  return withServers((servers) => withServices({ roles, env, servers }, work));
}

/**
 * For measurements one after the other, each with a stack of its own.
 * @param stack see {@link withStack}; when it is quick they share one
 * @param work gets a function that does a measurement with its stack
 */
export function withStacks({ quick, ...stack }, work) {
  return quick ? withStack(stack, (shared) => work((measure) => measure(shared))) : work((measure) => withStack(stack, measure));
}

/**
 * For systems that are measured one after the other, each with servers of its own.
 * @param quick they share servers, which are emptied between them
 * @param work gets what {@link withStack} is
 */
export function withStackOfEach({ quick }, work) {
  if (!quick) return work(withStack);
  return withServers((servers) => work(async (stack, each) => withServices({ ...stack, servers: await emptied(servers) }, each)));
}

async function withServices({ roles, env, servers }, work) {
  const services = [];
  try {
    for (const role of roles) services.push(await startService(role, { ...servers, env }));
    return await work({ url: services[0]?.url, services, ...servers });
  } finally {
    for (const service of services.reverse()) await service.stop();
  }
}

/** The same servers with another database and an empty Redis. */
async function emptied({ postgres, redis }) {
  const name = `bench_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client(postgres.url);
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  const connection = new Redis(redis.url);
  await connection.flushall();
  connection.disconnect();
  const url = new URL(postgres.url);
  url.pathname = name;
  return { postgres: { ...postgres, url: url.href }, redis };
}

/** One process of the built service, with the operations of ./service.mjs. */
async function startService(role, { postgres, redis, env }) {
  const addresses = { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
  const variables = { PATH: process.env.PATH, ...VARIABLES, ROLE: role, ...addresses, ...env };
  const child = forkChild(SERVICE, [], { env: variables, execArgv: ['--heap-growing-percent=40', '--max-semi-space-size=32'] });
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
