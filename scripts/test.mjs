// Runs the tests against a PostgreSQL and a Redis of their own, which end with it. Arguments are handed on to jest; without any all tests
// run, and after them, alone, a few injections of each fault: those start clusters of processes, which must not starve.
// TEST_DATABASE_URL (of a role that may create databases) and TEST_REDIS_URL name servers to use instead.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbeddedPostgres } from '../dist/database/embedded-postgres.js';
import { findRedisProgram, startRedisServer } from './redis-server.mjs';

const ROOT = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'batchwise-test-'));
const given = process.argv.slice(2);
const runs =
  given.length > 0 ? [{ args: given }] : [{ args: [] }, { args: ['test/faults/trials', '--runInBand'], env: { FAULTS_SCALE: 'short' } }];
const servers = [];
let jest;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    signalJest(signal);
  });
}

try {
  // The tests' temporary files lie in the folder too, so that those of a killed test are removed as well.
  const TMPDIR = mkdtempSync(join(folder, 'tmp-'));
  const environment = { ...process.env, NODE_ENV: 'test', TMPDIR, ...(await startServers()) };
  process.exitCode = await runAll(environment);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await Promise.all(servers.map((server) => server.stop()));
  printTotals();
  await removeFolder();
}

async function startServers() {
  const program = process.env.TEST_REDIS_SERVER_BIN ?? findRedisProgram(console.log);
  if (!program && !process.env.TEST_REDIS_URL) {
    throw new Error('The tests need a Redis server: install redis-server or valkey-server, or name the program in TEST_REDIS_SERVER_BIN.');
  }
  return {
    TEST_DATABASE_URL: process.env.TEST_DATABASE_URL ?? (await startPostgres()),
    TEST_REDIS_URL: process.env.TEST_REDIS_URL ?? (await startRedis(program)),
    // Empty when all there is is a server somewhere: then the tests that kill a Redis fail, and say why.
    TEST_REDIS_SERVER_BIN: program ?? '',
  };
}

async function startPostgres() {
  // What these databases hold need not outlive a power cut.
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '200' };
  const server = await startEmbeddedPostgres(join(folder, 'data'), { settings });
  servers.push(server);
  return server.url;
}

async function startRedis(program) {
  const files = join(folder, 'redis');
  mkdirSync(files);
  const server = await startRedisServer(program, files);
  servers.push(server);
  return server.url;
}

async function runAll(environment) {
  let worst = 0;
  for (const run of runs) {
    run.results = join(folder, `results-${runs.indexOf(run)}.json`);
    worst = Math.max(worst, interrupted ? 1 : await runJest(run, environment));
  }
  return worst;
}

function runJest({ args: own, env: more, results }, environment) {
  const args = [join(ROOT, 'node_modules/jest/bin/jest.js'), '--json', `--outputFile=${results}`, ...own];
  const env = { ...environment, ...more };
  // A process group of its own, because an interrupted jest leaves its workers running.
  jest = spawn(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit', detached: true });
  return new Promise((resolve, reject) => {
    jest.once('error', reject);
    jest.once('exit', (code) => {
      signalJest('SIGKILL');
      resolve(code ?? 1);
    });
  });
}

function signalJest(signal) {
  try {
    if (jest) process.kill(-jest.pid, signal);
  } catch {
    // the whole group has ended
  }
}

function printTotals() {
  const all = runs.filter(({ results }) => results && existsSync(results)).map(({ results }) => JSON.parse(readFileSync(results, 'utf8')));
  // Else jest was asked for something else, its list of tests for instance.
  const counted = all.filter(({ numPassedTests }) => numPassedTests !== undefined);
  if (counted.length === 0) return;
  const sum = (name) => counted.reduce((total, run) => total + run[name], 0);
  // A file that could not even be loaded holds tests that did not pass.
  const totals = [`${sum('numPassedTests')} passed`, `${sum('numFailedTests') + sum('numRuntimeErrorTestSuites')} failed`];
  if (sum('numPendingTests') > 0) totals.push(`${sum('numPendingTests')} skipped`);
  console.log(totals.join(', '));
}

async function removeFolder() {
  // The databases of tests that were cut off are just shutting down, and need their files for that.
  const deadline = Date.now() + 6000;
  while (Date.now() < deadline && databasesRun()) await delay(50);
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

function databasesRun() {
  try {
    return readdirSync(folder, { recursive: true }).some((path) => path.endsWith('postmaster.pid'));
  } catch {
    return true; // files went while they were being listed
  }
}
