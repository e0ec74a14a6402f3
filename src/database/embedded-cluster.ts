import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, open, readFile, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findPrograms } from './embedded-programs.js';
import { spawnSupervised, type SupervisedProcess } from './embedded-supervisor.js';
import { serverUser, type ServerUser } from './embedded-user.js';

/** Its folder in the data folder. */
export const CLUSTER_NAME = 'postgres-18';
const MAX_LOG_BYTES = 10_000_000;

/** PostgreSQL's files of one data folder, and how to run its programs on them. */
export interface Cluster {
  path: string;
  password: string;
  /** Runs initdb or postgres; what it prints goes to the log. */
  run(program: 'initdb' | 'postgres', args: string[]): Promise<SupervisedProcess>;
  /** What has been logged since the given position. */
  readLog(from?: number): Promise<string>;
  logSize(): Promise<number>;
}

/** Opens the cluster in the folder; makes it first if there is none. */
export async function openCluster(folder: string, report: (message: string) => void): Promise<Cluster> {
  const path = join(folder, CLUSTER_NAME);
  const log = join(folder, 'postgres.log');
  const programs = await findPrograms();
  const user = await serverUser(path);
  if ((await sizeOf(log)) > MAX_LOG_BYTES) await truncate(log);
  const cluster: Cluster = {
    path,
    password: await readOrMakePassword(folder, user),
    run: async (program, args) => {
      const file = await open(log, 'a', 0o600);
      try {
        const [command, ...rest] = [...(user?.prefix ?? []), join(programs, program), ...args] as [string, ...string[]];
        return spawnSupervised(command, rest, { output: file.fd, ...user?.spawnAs });
      } finally {
        await file.close();
      }
    },
    readLog: async (from = 0) => (await readFile(log)).subarray(from).toString(),
    logSize: () => sizeOf(log),
  };
  if (!existsSync(path)) await makeCluster(cluster, folder, user, report);
  return cluster;
}

/** initdb works in a folder beside, which then gets its name: a crash on the way leaves no cluster that only looks whole. */
async function makeCluster(
  cluster: Cluster,
  folder: string,
  user: ServerUser | undefined,
  report: (message: string) => void,
): Promise<void> {
  report(`creating the database cluster in ${cluster.path}`);
  for (const name of await readdir(folder)) {
    // Retried, because the initdb of a service that was just killed may still be writing there.
    if (name.startsWith(`${CLUSTER_NAME}.new-`)) await rm(join(folder, name), { recursive: true, force: true, maxRetries: 10 });
  }
  // The name is new each time: an initdb that is just ending, cut off with its service, deletes the folder it worked in.
  const unfinished = join(folder, `${CLUSTER_NAME}.new-${process.pid}-${Date.now()}`);
  await mkdir(unfinished, { mode: 0o700 });
  if (user) await chown(unfinished, user.uid, user.gid);
  const logged = await cluster.logSize();
  const initdb = await cluster.run('initdb', [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    `--pwfile=${passwordFile(folder)}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    // Sorts like C, everywhere alike, and still knows upper and lower case of all letters.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // Not /dev/shm, which is too small for parallel queries in many containers, and where a killed server leaves its memory behind.
    '--set=dynamic_shared_memory_type=mmap',
  ]);
  if ((await initdb.exited) !== 0) {
    throw new Error(`The database cluster in ${cluster.path} could not be created:\n${lastLines(await cluster.readLog(logged))}`);
  }
  await rename(unfinished, cluster.path);
  const parent = await open(folder);
  await parent.sync().finally(() => parent.close());
}

export function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-15).join('\n');
}

const passwordFile = (folder: string): string => join(folder, 'postgres.password');

async function readOrMakePassword(folder: string, user: ServerUser | undefined): Promise<string> {
  const path = passwordFile(folder);
  if (!existsSync(path)) {
    if (existsSync(join(folder, CLUSTER_NAME))) {
      throw new Error(
        `${path} is missing, and the database in ${folder} opens with nothing else. Put it back, or delete the folder with its data.`,
      );
    }
    await writeFile(path, randomBytes(24).toString('base64url'), { mode: 0o600 });
  }
  await chmod(path, 0o600);
  if (user) await chown(path, user.uid, user.gid); // initdb reads it
  return (await readFile(path, 'utf8')).trim();
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
