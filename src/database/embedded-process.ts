import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const HAS_PROC = existsSync('/proc/self/stat');

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    // EPERM: it is there and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When the process started, in whatever unit the system counts: tells it from a later process that was given the same pid. */
export function startTimeOf(pid: number): string | undefined {
  return HAS_PROC ? statOf(pid)?.[19] : ps(pid, 'lstart=');
}

export function commandLineOf(pid: number): string | undefined {
  return HAS_PROC ? readProc(pid, 'cmdline')?.replaceAll('\0', ' ') : ps(pid, 'command=');
}

/** Killed, but its parent has not asked how it ended, which in a container may never happen. */
function isZombie(pid: number): boolean {
  return HAS_PROC ? statOf(pid)?.[0] === 'Z' : (ps(pid, 'stat=')?.startsWith('Z') ?? false);
}

/** The fields of /proc/<pid>/stat from the third (state) on; the second is a name in brackets that may hold brackets and spaces. */
function statOf(pid: number): string[] | undefined {
  const stat = readProc(pid, 'stat');
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}
