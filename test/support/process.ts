import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const MAIN = join(ROOT, 'dist/main.js');
/** A start takes four seconds of a core, which many that start at once have to share. */
const START_MS = 180_000;

/** A service in a process of its own, built as users run it. */
export interface ServiceProcess {
  url: string;
  pid: number;
  /** Everything it printed. */
  output(): string;
  /** When the process ended, also by itself: its exit code, or the signal that ended it. */
  ended: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  send(signal: NodeJS.Signals): void;
  /** Sends a signal and waits for the end. @returns its exit code, null after a kill */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Bytes of memory it holds now. */
  memory(): Promise<number>;
}

/**
 * @param env variables over the test defaults; PORT is free when not given
 * @param main what to run: the service itself, or a script that embeds it
 * @param flags of node
 * @param within a command that runs the command after it in its own place
 */
export async function spawnService(
  env: Record<string, string>,
  main = MAIN,
  flags = ['--enable-source-maps'],
  within: string[] = [],
): Promise<ServiceProcess> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run the tests with npm test, which builds it`);
  const [command, ...args] = [...within, process.execPath, ...flags, main];
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, NODE_ENV: 'test', PORT: '0', LOG_LEVEL: 'warn', LEASE_MS: '1000', SWEEP_MS: '200', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  child.stderr.on('data', (data: Buffer) => (printed += data.toString()));
  const exited = once(child, 'exit') as ServiceProcess['ended'];
  const url = await Promise.race([listening(child, () => printed), exited.then(() => undefined)]).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  if (!url) throw new Error(`the service did not start:\n${printed}`);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return (await exited)[0];
  };
  const send = (signal: NodeJS.Signals): void => void child.kill(signal);
  return { url, pid: child.pid!, output: () => printed, ended: exited, send, end, memory: () => residentBytes(child.pid!) };
}

function listening(child: ChildProcess, printed: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the service did not listen within ${START_MS} ms:\n${printed()}`)), START_MS);
    const look = (): void => {
      const url = /is listening at (\S+)/.exec(printed())?.[1];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout!.on('data', look);
    child.once('exit', () => clearTimeout(timer));
  });
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}
