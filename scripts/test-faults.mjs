// Breaks things under work, see docs/reliability.md.
//   npm run test:faults                                       a few injections of each fault, as within npm test
//   npm run test:faults -- --medium | --full                  more, or as many as the published figures need
//     --only F01,F06      these faults; with --out a long run can be done in parts
//     --seed 42           the schedule of an earlier run
//     --out rows.json     adds the rows to this file; a fault's earlier row of the same seed gives way
//     --minutes 30        stops injecting each fault after this time; with another --seed and the same --out the run goes on later
//   npm run test:faults -- --table rows.json                  writes the table of docs/reliability.md
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const DOCUMENT = join(ROOT, 'docs/reliability.md');
const [BEGIN, END] = ['<!-- the table begins -->', '<!-- the table ends -->'];

const { values: given } = parseArgs({
  options: {
    full: { type: 'boolean' },
    medium: { type: 'boolean' },
    only: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string' },
    minutes: { type: 'string' },
    table: { type: 'string' },
  },
});

if (given.minutes && !(Number(given.minutes) > 0)) {
  console.error(`--minutes must be a number above 0, and is ${given.minutes}`);
  process.exit(1);
}
if (given.table) writeTable(readRows(resolve(given.table)));
else process.exitCode = await runTrials();

async function runTrials() {
  const folder = mkdtempSync(join(tmpdir(), 'batchwise-faults-'));
  const out = given.out ? resolve(given.out) : join(folder, 'rows.json');
  const env = {
    ...process.env,
    FAULTS_SCALE: given.full ? 'full' : given.medium ? 'medium' : 'short',
    FAULTS_SEED: given.seed ?? String(Math.floor(Math.random() * 1_000_000)),
    FAULTS_OUT: out,
    ...(given.minutes && { FAULTS_MINUTES: given.minutes }),
    FAULTS_VERSIONS: JSON.stringify(versions()),
  };
  const only = given.only ? ['-t', `^(${given.only.split(',').join('|')}) `] : [];
  const args = [join(ROOT, 'scripts/test.mjs'), 'test/faults/trials', '--runInBand', ...only];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' });
  // A terminal signals the child as well; somebody who ends only this process means both.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const code = await new Promise((done) => child.once('exit', (status) => done(status ?? 1)));
  const rows = readRows(out);
  if (rows.length > 0) console.log(`\n${toTable(rows)}`);
  rmSync(folder, { recursive: true, force: true });
  return code;
}

/** Those of the servers are asked of them. */
function versions() {
  return { commit: commit(), node: process.version, cores: availableParallelism() };
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

function readRows(path) {
  if (!existsSync(path)) return [];
  return JSON.parse(readFileSync(path, 'utf8')).sort((a, b) => a.fault.localeCompare(b.fault));
}

/** Runs of the same fault with several seeds, as one. */
function addUp(rows) {
  const runs = new Map();
  for (const row of rows) {
    const key = `${row.fault} ${row.what}`;
    const sum = runs.get(key) ?? {
      ...row,
      injected: 0,
      hit: 0,
      items: 0,
      lost: 0,
      recordedTwice: 0,
      reExecuted: 0,
      recoveriesMs: [],
      seeds: [],
      notes: [],
    };
    for (const field of ['injected', 'hit', 'items', 'lost', 'recordedTwice', 'reExecuted']) sum[field] += row[field];
    sum.recoveriesMs.push(...row.recoveriesMs);
    sum.seeds.push(row.seed);
    if (row.note) sum.notes.push(row.note);
    runs.set(key, sum);
  }
  return [...runs.values()];
}

function quantiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return [0.5, 0.99, 1].map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
}

function toTable(rows) {
  const number = (value) => value.toLocaleString('en-US');
  const head = [
    '',
    'Fault',
    'Injected',
    'Hit work',
    'Items',
    'Lost',
    'Twice',
    'Run again',
    'Recovery p50 / p99 / max, ms',
    'Seed',
    'Also seen',
  ];
  const lines = addUp(rows).map((row) => [
    row.fault,
    row.what,
    number(row.injected),
    number(row.hit),
    number(row.items),
    number(row.lost),
    number(row.recordedTwice),
    row.items === 0 ? '' : `${number(row.reExecuted)} (${((100 * row.reExecuted) / row.items).toFixed(2)} %)`,
    row.recoveriesMs.length > 0 ? quantiles(row.recoveriesMs).map(number).join(' / ') : '',
    row.seeds.join(', '),
    row.notes.join('; '),
  ]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function writeTable(rows) {
  if (rows.length === 0) throw new Error(`${given.table} holds no rows: make some with --out`);
  const commits = [...new Set(rows.map(({ versions }) => versions.commit))].join(', ');
  const made = [...new Set(rows.map(({ versions, scale }) => `${scale} run, ${describe(versions)}`))];
  const minutes = Math.round(rows.reduce((sum, { seconds }) => sum + seconds, 0) / 60);
  const text = readFileSync(DOCUMENT, 'utf8');
  const [before, after] = [text.split(BEGIN)[0], text.split(END)[1]];
  if (after === undefined) throw new Error(`${DOCUMENT} has no place for the table: ${BEGIN} ... ${END}`);
  const table = `${toTable(rows)}\n\nMade in ${minutes} minutes at the commits ${commits}: ${made.join('; ')}.`;
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
  execFileSync(process.execPath, [join(ROOT, 'node_modules/prettier/bin/prettier.cjs'), '--write', DOCUMENT]);
}

function describe({ node, postgres, redis, cores }) {
  return `Node ${node.slice(1)}, PostgreSQL ${postgres}, Redis ${redis}, ${cores} cores shared by the services, their servers and the clients`;
}
