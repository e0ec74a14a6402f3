import type { Readable } from 'node:stream';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { unreadable } from './contents.js';

const MAX_ENTRIES = 10_000;
/** Unpacked bytes of all entries: a small zip can hold a thousand times its size. */
const MAX_UNPACKED_BYTES = 1_073_741_824;
/** Times that a large entry may unpack to its packed size. Sheets that people make grow five to thirty times. */
const MAX_RATIO = 100;
const LARGE_BYTES = 16_777_216;

/** A zip's files, read by the directory at its end, in any order, and never longer than the directory says. */
export class ZipDirectory {
  private constructor(
    private readonly zip: ZipFile,
    private readonly entries: Map<string, Entry>,
  ) {}

  /** @throws AppError UNPROCESSABLE when it unpacks to too much; other errors when it is broken */
  static async open(path: string): Promise<ZipDirectory> {
    const zip = await openPromise(path, { lazyEntries: true, autoClose: false });
    try {
      if (zip.entryCount > MAX_ENTRIES) throw unreadable('zip file', `it holds ${zip.entryCount} files; at most ${MAX_ENTRIES} are read`);
      const entries = new Map<string, Entry>();
      let bytes = 0;
      for await (const entry of zip.eachEntry()) {
        entries.set(entry.fileName, entry);
        bytes += entry.uncompressedSize;
      }
      if (bytes > MAX_UNPACKED_BYTES) {
        throw unreadable('zip file', `it unpacks to ${bytes} bytes; at most ${MAX_UNPACKED_BYTES} are read`);
      }
      const bomb = [...entries.values()].find(isBomb);
      if (bomb) throw unreadable('zip file', `${bomb.fileName} unpacks to more than ${MAX_RATIO} times its packed size`);
      return new ZipDirectory(zip, entries);
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  get names(): string[] {
    return [...this.entries.keys()];
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Unpacked bytes; 0 for a file that it does not have. */
  sizeOf(name: string): number {
    return this.entries.get(name)?.uncompressedSize ?? 0;
  }

  /** The unpacked bytes of a file that it has. */
  read(name: string): Promise<Readable> {
    return this.zip.openReadStreamPromise(this.entries.get(name)!);
  }

  close(): void {
    this.zip.close();
  }
}

/** The sizes that the directory claims are those that count: no more is read of an entry, packed or unpacked. */
function isBomb({ compressedSize, uncompressedSize }: Entry): boolean {
  return uncompressedSize > LARGE_BYTES && uncompressedSize > MAX_RATIO * compressedSize;
}
