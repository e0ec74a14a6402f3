// Runs every kind of race with many pairs (--pairs, 10,000 unless given) and prints a table of who won and which rules were broken.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const RACES = ['test/batches/store/pairs', 'test/batches/idempotency-races'];

const { values } = parseArgs({ options: { pairs: { type: 'string', default: '10000' } } });
const pairs = Number(values.pairs);
if (!Number.isInteger(pairs) || pairs < 1) {
  console.error(`--pairs must be a whole number of at least 1, and is ${values.pairs}`);
  process.exit(1);
}

const folder = mkdtempSync(join(tmpdir(), 'batchwise-races-'));
const report = join(folder, 'report.ndjson');
try {
  const startedAt = Date.now();
  process.exitCode = await runTests({ RACE_PAIRS: String(pairs), RACE_REPORT: report });
  printTable(readReport(), Math.round((Date.now() - startedAt) / 1000));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function runTests(settings) {
  const test = spawn(process.execPath, [join(import.meta.dirname, 'test.mjs'), ...RACES, '--runInBand'], {
    env: { ...process.env, ...settings },
    stdio: 'inherit',
  });
  return new Promise((resolve) => test.once('exit', (code) => resolve(code ?? 1)));
}

function readReport() {
  try {
    const lines = readFileSync(report, 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}

function printTable(kinds, seconds) {
  console.log('\n| Race | Pairs | First won | Second won | Both went through | Violations |');
  console.log('| --- | --: | --: | --: | --: | --: |');
  for (const { kind, pairs: count, first, second, both, violations } of kinds) {
    console.log(`| ${[kind, count, first, second, both, violations].join(' | ')} |`);
  }
  const sum = (field) => kinds.reduce((total, kind) => total + kind[field], 0);
  console.log(`\n${sum('pairs')} pairs of ${kinds.length} kinds in ${seconds} s, ${sum('violations')} violations`);
}
