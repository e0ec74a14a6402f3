import { type FileHandle, open } from 'node:fs/promises';

const END_MARK = Buffer.from('PK\x05\x06', 'latin1');
const DIRECTORY_MARK = Buffer.from('PK\x01\x02', 'latin1');
const END_BYTES = 22;
/** A zip's comment, and what other programs put behind it. */
const MAX_TAIL_BYTES = 131_072;

/**
 * Finds a zip that has other bytes before or after it, as servers and scripts leave them there.
 * @returns where it begins and ends; undefined when it is the whole file, or none is found
 */
export async function placeOfZip(path: string): Promise<{ start: number; end: number } | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tailStart = Math.max(0, size - MAX_TAIL_BYTES);
    const tail = await readAt(file, tailStart, size - tailStart);
    const mark = tail.lastIndexOf(END_MARK, tail.length - END_BYTES);
    if (mark === -1) return undefined;
    const endRecord = tailStart + mark;
    const end = endRecord + END_BYTES + tail.readUInt16LE(mark + 20);
    const start = await startOf(file, endRecord, tail.subarray(mark));
    return end > size || (start === 0 && end === size) ? undefined : { start, end };
  } finally {
    await file.close();
  }
}

/** The directory stands right before the end record; where it should stand by that record tells how far all is moved. */
async function startOf(file: FileHandle, endRecord: number, record: Buffer): Promise<number> {
  const claimed = record.readUInt32LE(16);
  const found = endRecord - record.readUInt32LE(12);
  if (found <= claimed) return 0;
  const isAtClaim = (await readAt(file, claimed, DIRECTORY_MARK.length)).equals(DIRECTORY_MARK);
  const isFound = (await readAt(file, found, DIRECTORY_MARK.length)).equals(DIRECTORY_MARK);
  return isFound && !isAtClaim ? found - claimed : 0;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}
