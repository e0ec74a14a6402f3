import { statfs } from 'node:fs/promises';

/** Bytes that a program without special rights may still write on the file system that holds the path. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** Bytes that the file system that holds the path has altogether. */
export async function totalBytes(path: string): Promise<number> {
  const { blocks, bsize } = await statfs(path);
  return blocks * bsize;
}
