import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FileEntity } from './entities/file.entity.js';
import { damagedFile, toFileFault } from './file-faults.js';

export type Stored = Pick<FileEntity, 'id' | 'size' | 'sha256'>;

/** Writes bytes that are still on their way. What the source throws is thrown as it is, what the disk says as {@link toFileFault}. */
export async function writeBytes(source: AsyncIterable<Buffer>, path: string): Promise<Pick<FileEntity, 'size' | 'sha256'>> {
  const hash = createHash('sha256');
  let size = 0;
  const file = await open(path, 'wx', 0o600).catch(refuse);
  try {
    for await (const chunk of source) {
      size += chunk.length;
      hash.update(chunk);
      await file.writeFile(chunk).catch(refuse);
    }
    await file.sync().catch(refuse);
  } finally {
    await file.close().catch(() => undefined);
  }
  return { size: String(size), sha256: hash.digest('hex') };
}

/** Gives a file that is whole its name. A power cut right afterwards does not take it back. */
export async function placeBytes(partial: string, path: string): Promise<void> {
  try {
    const folder = dirname(path);
    const isNew = (await mkdir(folder, { recursive: true })) !== undefined;
    await rename(partial, path);
    await syncFolder(folder);
    if (isNew) await syncFolder(dirname(folder));
  } catch (error) {
    throw toFileFault(error);
  }
}

/**
 * The bytes of a stored file.
 * @param limit read no more than this many from the beginning, unchecked
 * @throws AppError CONFLICT when they are gone or are not those that were stored, after the last of them at the latest
 */
export async function* readBytes(stored: Stored, path: string, limit?: number): AsyncGenerator<Buffer> {
  const file = await openStored(stored, path);
  const hash = createHash('sha256');
  try {
    const stream = file.createReadStream({ autoClose: false, end: limit === undefined ? undefined : limit - 1 });
    for await (const chunk of readable(stream)) {
      if (limit === undefined) hash.update(chunk);
      yield chunk;
    }
  } finally {
    await file.close().catch(() => undefined);
  }
  if (limit === undefined && hash.digest('hex') !== stored.sha256) {
    throw damagedFile(stored, 'its bytes are not those that were stored (SHA-256 differs)');
  }
}

async function openStored(stored: Stored, path: string): Promise<FileHandle> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw damagedFile(stored, "its bytes are gone from the service's disk (DATA_DIR)");
    throw toFileFault(error);
  });
  const { size } = await file.stat();
  if (String(size) === stored.size) return file;
  await file.close();
  throw damagedFile(stored, `it has ${size} bytes, and ${stored.size} were stored`);
}

async function* readable(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch(refuse);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

function refuse(error: unknown): never {
  throw toFileFault(error);
}
