import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const BENCH = join(__dirname, '../../bench');
export const PATIENCE_MS = 300_000;

export function bench(name: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [join(BENCH, `${name}.mjs`), ...args]);
}

/** Runs a benchmark with few items. @returns what it printed, and the figures that it kept */
export async function benchQuickly<T>(name: string): Promise<{ stdout: string; result: T }> {
  const folder = mkdtempSync(join(tmpdir(), 'batchwise-bench-'));
  try {
    const out = join(folder, 'result.json');
    const { stdout } = await bench(name, '--quick', '--out', out);
    return { stdout, result: JSON.parse(readFileSync(out, 'utf8')) as T };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Interrupts a benchmark when it has told of its first measurement. @returns how it ended, and what it left in the folder for temporary files */
export async function interrupt(signal: NodeJS.Signals, name: string, ...args: string[]): Promise<object> {
  const folder = mkdtempSync(join(tmpdir(), 'batchwise-bench-'));
  try {
    const child = spawn(process.execPath, [join(BENCH, `${name}.mjs`), ...args], { env: { ...process.env, TMPDIR: folder } });
    let stderr = '';
    child.stderr.on('data', (said: Buffer) => (stderr += said.toString()));
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    child.kill(signal);
    const [code] = (await closed) as [number];
    return { code, stderr, left: readdirSync(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The cells of the first column of the table that was printed. */
export function rowsOf(stdout: string): string[] {
  const [, , ...rows] = stdout.split('\n').filter((line) => line.startsWith('| '));
  return rows.map((row) => row.slice(2, row.indexOf(' | ')));
}
