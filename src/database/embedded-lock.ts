import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, startTimeOf } from './embedded-process.js';

interface Holder {
  pid: number;
  startTime?: string;
}

/** Takes the data folder for this process; resolves to what gives it back. A lock whose process is gone is taken over. */
export async function lockDataFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'service.lock');
  const mine = `${path}.${randomUUID()}`;
  const self: Holder = { pid: process.pid, startTime: startTimeOf(process.pid) };
  await writeFile(mine, JSON.stringify(self));
  try {
    // A link is made whole or not at all: nobody can read a lock that is half written.
    while (!(await linked(mine, path))) await removeStale(path, folder);
  } finally {
    await rm(mine);
  }
  return () => rm(path, { force: true });
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function removeStale(path: string, folder: string): Promise<void> {
  refuseIfHeld(await read(path), folder);
  // Two services may have found the same stale lock: the slower one moves the faster one's new lock aside, sees so, and puts it back.
  const aside = `${path}.${randomUUID()}`;
  if (!(await renamed(path, aside))) return;
  try {
    const holder = await read(aside);
    if (isHeld(holder)) await linked(aside, path);
    refuseIfHeld(holder, folder);
  } finally {
    await rm(aside, { force: true });
  }
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function read(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined; // gone meanwhile, or emptied by a power cut: nobody's
  }
}

function isHeld(holder: Holder | undefined): holder is Holder {
  return holder !== undefined && isAlive(holder.pid) && startTimeOf(holder.pid) === holder.startTime;
}

function refuseIfHeld(holder: Holder | undefined, folder: string): void {
  if (!isHeld(holder)) return;
  throw new Error(
    `The data folder ${folder} is in use by another Batchwise service (process ${holder.pid}). ` +
      `Stop that one, or give this one a folder of its own with DATA_DIR or a database of its own with DATABASE_URL.`,
  );
}
