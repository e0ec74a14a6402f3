// A PostgreSQL and a Redis of its own, and processes of the service at them: what every benchmark runs against.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../dist/database/embedded-postgres.js';
import { findRedisProgram, startRedisServer } from '../scripts/redis-server.mjs';

const SERVICE = join(import.meta.dirname, 'waiting-service.mjs');

/**
 * Does the work with a stack that ends with it. PostgreSQL is as durable as the service runs it.
 * @param roles of the service's processes, one each; the first one that answers requests is the stack's `url`
 * @param env the service's variables beside the addresses
 */
export async function withStack({ roles, env }, work) {
  const folder = mkdtempSync(join(tmpdir(), 'batchwise-bench-'));
  const ends = [];
  // A terminal signals all of them; whoever ends only this process means all of them too.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void end(ends, folder).then(() => process.exit(1)));
  try {
    const postgres = await startEmbeddedPostgres(join(folder, 'data'), { settings: { max_connections: '200' } });
    ends.push(() => postgres.stop());
    const redis = await startRedis(join(folder, 'redis'));
    ends.push(() => redis.stop());
    const variables = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, ...env };
    const urls = [];
    for (const role of roles) urls.push(await startProcess(role, variables, ends));
    return await work({ url: urls[0] });
  } finally {
    await end(ends, folder);
  }
}

async function startRedis(folder) {
  const program = findRedisProgram(console.log);
  if (!program) throw new Error('There is no Redis server: install redis-server or valkey-server.');
  mkdirSync(folder);
  return startRedisServer(program, folder);
}

/** @returns the process's URL */
async function startProcess(role, variables, ends) {
  const env = { PATH: process.env.PATH, NODE_ENV: 'production', LOG_LEVEL: 'warn', PORT: '0', ROLE: role, ...variables };
  const child = fork(SERVICE, { env, execArgv: ['--heap-growing-percent=40'] });
  const exited = once(child, 'exit');
  ends.push(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const [url] = await Promise.race([once(child, 'message'), exited]);
  if (typeof url !== 'string') throw new Error(`the service's ${role} process did not start; what it said is above`);
  return url;
}

/** What was started last ends first. */
async function end(ends, folder) {
  for (let stop = ends.pop(); stop; stop = ends.pop()) await stop();
  rmSync(folder, { recursive: true, force: true });
}
