// Runs every kind of race with many pairs (--pairs, 10,000 unless given) and prints a table of who won and which rules were broken; and
// every two commands at one batch, 2,000 times each at most, with a table of what came of them; and a crowd of callers, workers and sweeps at
// many batches, twenty moves for each pair asked for. --only takes a part of the files.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const RACES = [
  'test/batches/store/pairs',
  'test/batches/idempotency-races',
  'test/batches/store/command-pairs',
  'test/batches/store/crowd',
];

const { values } = parseArgs({ options: { pairs: { type: 'string', default: '10000' }, only: { type: 'string', default: '' } } });
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
  const test = spawn(
    process.execPath,
    [join(import.meta.dirname, 'test.mjs'), ...RACES.filter((race) => race.includes(values.only)), '--runInBand'],
    {
      env: { ...process.env, ...settings },
      stdio: 'inherit',
    },
  );
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

function printTable(lines, seconds) {
  const sum = (rows, ...fields) => rows.reduce((total, row) => total + fields.reduce((of, field) => of + row[field], 0), 0);
  const kinds = lines.filter(({ kind }) => kind);
  if (kinds.length > 0) {
    console.log('\n| Race | Pairs | First won | Second won | Both went through | Violations |');
    console.log('| --- | --: | --: | --: | --: | --: |');
    for (const { kind, pairs: count, first, second, both, violations } of kinds) {
      console.log(`| ${[kind, count, first, second, both, violations].join(' | ')} |`);
    }
    console.log(`\n${sum(kinds, 'pairs')} pairs of ${kinds.length} kinds, ${sum(kinds, 'violations')} violations`);
  }
  const moves = lines.filter(({ move }) => move);
  if (moves.length > 0) {
    console.log('\n| Beside every other one | Times | Done | Refused | Answered 500 or more |');
    console.log('| --- | --: | --: | --: | --: |');
    for (const row of moves) {
      console.log(`| ${[row.move, sum([row], 'done', 'refused', 'broken'), row.done, row.refused, row.broken].join(' | ')} |`);
    }
    const { deadlocks, others } = lines.find((line) => line.deadlocks !== undefined && line.crowd === undefined);
    console.log(
      `\n${sum(moves, 'done', 'refused', 'broken')} moves, ${sum(moves, 'broken')} broken, ${deadlocks} deadlocks, ${others} begun anew`,
    );
  }
  for (const { crowd, seed, violations, deadlocks, others } of lines.filter((line) => line.crowd !== undefined)) {
    console.log(`\n${crowd} moves in a crowd (seed ${seed}), ${violations} violations, ${deadlocks} deadlocks, ${others} begun anew`);
  }
  console.log(`${seconds} s`);
}
