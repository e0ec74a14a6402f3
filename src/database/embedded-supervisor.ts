import { spawn } from 'node:child_process';

/**
 * Runs a server ("$@") for as long as somebody holds the other end of this shell's standard input. When that end closes, because the
 * owner closed it or because the owner died in whatever way, kill -9 included, the server is asked to end (SIGINT), and five seconds
 * later told to (SIGQUIT). A parent-death signal would do this without a shell, but only on Linux, and it is tied to the thread that
 * spawned the child, not to the process.
 */
const SUPERVISOR = `
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
{
  read -r _ <&3
  kill -INT $server
  tenths=0
  while [ $tenths -lt 50 ] && kill -0 $server; do sleep 0.1; tenths=$((tenths + 1)); done
  kill -QUIT $server
} 2>/dev/null & watcher=$!
exec 3<&-
wait $server
status=$?
kill $watcher
exit $status`;

/** Servers get nothing of the service's environment: a PGDATA or LD_PRELOAD meant for something else must not change what they do. */
export const SERVER_ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  // PostgreSQL on macOS refuses to start when the locale comes from anywhere but here.
  LC_ALL: 'C',
  TZ: 'UTC',
};

export interface SupervisedOptions {
  /** File descriptor that takes what the server prints. */
  output: number;
  uid?: number;
  gid?: number;
}

export interface SupervisedProcess {
  /** Settles when the server has ended, with its exit status; it never rejects. */
  readonly exited: Promise<number>;
  hasExited(): boolean;
  /** Asks the server to end and waits until it has. */
  stop(): Promise<void>;
}

export function spawnSupervised(command: string, args: string[], options: SupervisedOptions): SupervisedProcess {
  const child = spawn('/bin/sh', ['-c', SUPERVISOR, 'supervisor', command, ...args], {
    cwd: '/',
    env: SERVER_ENV,
    // A session of its own: Ctrl-C in a terminal must reach the service alone, which still needs its servers to finish its work.
    detached: true,
    stdio: ['pipe', options.output, options.output],
    uid: options.uid,
    gid: options.gid,
  });
  let exited = false;
  const exit = new Promise<number>((resolve) => {
    const end = (status: number): void => {
      exited = true;
      resolve(status);
    };
    child.once('exit', (code) => end(code ?? 1));
    child.once('error', () => end(127));
  });
  return {
    exited: exit,
    hasExited: () => exited,
    stop: async () => {
      child.stdin?.destroy();
      await exit;
    },
  };
}
