import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLineOf, isAlive } from './embedded-process.js';

/** Ends a server whose supervisor was killed, in an earlier life of the service or in this one. */
export async function stopOrphan(cluster: string, report: (message: string) => void): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid || !isAlive(pid)) return;
  const commandLine = commandLineOf(pid) ?? '';
  if (!commandLine.includes('postgres -D') || !commandLine.includes(cluster)) {
    // Another program was given the old server's pid. PostgreSQL cannot tell, and would refuse to start.
    await rm(pidFile);
    return;
  }
  report(`stopping a PostgreSQL that was left behind (process ${pid})`);
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    send(pid, signal);
    for (let tenths = 0; tenths < 50; tenths++) {
      if (!isAlive(pid)) return;
      await delay(100);
    }
  }
  throw new Error(`A PostgreSQL that was left behind in ${cluster} (process ${pid}) does not end. End it by hand.`);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It has ended in between.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
