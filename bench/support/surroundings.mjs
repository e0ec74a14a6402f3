// What a measurement was made on and with.
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import Redis from 'ioredis';
import pg from 'pg';

const PACKAGES = join(import.meta.dirname, '../../node_modules');

/** @returns `{ date, machine, versions }` */
export async function surroundings({ postgres, redis, packages }) {
  const servers = { PostgreSQL: await postgresVersion(postgres.url), Redis: await redisVersion(redis.url) };
  const installed = packages.map((name) => [name, versionOf(name)]);
  return {
    date: new Date().toISOString(),
    machine: { cpu: cpus()[0].model, cores: availableParallelism(), memoryGb: Math.round(totalmem() / 1024 ** 3) },
    versions: { Node: process.versions.node, ...servers, ...Object.fromEntries(installed) },
  };
}

async function postgresVersion(url) {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('SHOW server_version');
  await client.end();
  return rows[0].server_version;
}

async function redisVersion(url) {
  const redis = new Redis(url);
  const info = await redis.info('server');
  redis.disconnect();
  return /(?:valkey|redis)_version:(\S+)/.exec(info)[1];
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(PACKAGES, name, 'package.json'), 'utf8')).version;
}
