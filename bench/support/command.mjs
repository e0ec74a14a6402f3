// A benchmark as a command: its options, and its figures as a table.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { wholeNumber } from './arguments.mjs';

/**
 * Reads `--quick`, `--out` and numbers of the benchmark's own.
 * @param numbers each one's name, and its value in full and with --quick
 */
export function readOptions(numbers) {
  const own = Object.keys(numbers).map((name) => [name, { type: 'string' }]);
  const { values } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, out: { type: 'string' }, ...Object.fromEntries(own) },
  });
  const chosen = Object.entries(numbers).map(([name, { full, quick }]) => [
    name,
    wholeNumber(name, values[name] ?? (values.quick ? quick : full), 1),
  ]);
  return { quick: values.quick, out: values.out, ...Object.fromEntries(chosen) };
}

/** Prints the figures, and keeps them when that was asked for. @param columns see {@link table} */
export function present({ title, columns, rows, notes = [], result }, { quick, out }) {
  const conditions = { node: process.version, cores: availableParallelism(), date: new Date().toISOString() };
  const quickly = quick ? ['--quick: it runs, and its figures mean nothing.'] : [];
  const shared = `Node ${conditions.node}, ${conditions.cores} cores shared by all processes, ${conditions.date}`;
  console.log(['', title, table(columns, rows), ...notes, ...quickly, shared].join('\n\n'));
  if (out) writeFileSync(out, `${JSON.stringify({ ...conditions, quick, ...result })}\n`);
}

/** In Markdown. @param columns their titles; those that begin with `>` are aligned to the right */
function table(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = columns.map((column) => (column.startsWith('>') ? '--:' : '---'));
  return [columns.map((column) => column.replace('>', '')), rule, ...rows].map(line).join('\n');
}

/** A number with as many digits as tell something. */
export function short(number) {
  if (number === 0) return '0';
  if (Math.abs(number) >= 99.5) return Math.round(number).toLocaleString('en');
  return number.toPrecision(Math.abs(number) < 0.095 ? 1 : 2).replace(/\.0$/, '');
}

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** Ends the benchmark: what it counted is wrong. */
export function assertCount(what, found, expected) {
  if (found !== expected) throw new Error(`${what}: ${found}, and should be ${expected}`);
}
