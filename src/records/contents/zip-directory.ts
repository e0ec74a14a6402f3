import { createReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type Entry, fromRandomAccessReaderPromise, openPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { unreadable } from './contents.js';
import { partName } from './part-name.js';
import { placeOfZip } from './place-of-zip.js';

const MAX_ENTRIES = 10_000;

const OPTIONS = { lazyEntries: true, autoClose: false, decodeStrings: false } as const;

/** A zip's files, read by the directory at its end, in any order, and never longer than the directory says. */
export class ZipDirectory {
  private constructor(
    private readonly zip: ZipFile,
    private readonly entries: Map<string, Entry>,
    /** Names that it has more than once: the last of each is read. */
    readonly repeated: ReadonlySet<string>,
  ) {}

  /** @throws AppError UNPROCESSABLE when it holds too many files; other errors when it is broken */
  static async open(path: string): Promise<ZipDirectory> {
    const zip = await openZip(path);
    try {
      if (zip.entryCount > MAX_ENTRIES) throw unreadable('zip file', `it holds ${zip.entryCount} files; at most ${MAX_ENTRIES} are read`);
      const entries = new Map<string, Entry>();
      const repeated = new Set<string>();
      for await (const entry of zip.eachEntry()) {
        const name = partName(entry.fileNameRaw.toString());
        if (entries.has(name)) repeated.add(name);
        entries.set(name, entry);
      }
      return new ZipDirectory(zip, entries, repeated);
    } catch (error) {
      zip.close();
      throw error;
    }
  }

  /** @param name as {@link partName} makes it, like all names here */
  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** Unpacked bytes as the directory claims them, of which no more are read; 0 for a file that it does not have. */
  sizeOf(name: string): number {
    return this.entries.get(name)?.uncompressedSize ?? 0;
  }

  /** The unpacked bytes of a file that it has. @throws Error at their end when they are not those that were packed */
  async *read(name: string): AsyncGenerator<Buffer> {
    const entry = this.entries.get(name)!;
    let sum = 0;
    for await (const chunk of (await this.zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
    if (sum !== entry.crc32) throw new Error('a part of it is damaged: its check sum is wrong');
  }

  close(): void {
    this.zip.close();
  }
}

async function openZip(path: string): Promise<ZipFile> {
  const place = await placeOfZip(path);
  if (!place) return openPromise(path, OPTIONS);
  return fromRandomAccessReaderPromise(new PartOfFile(path, place.start), place.end - place.start, OPTIONS);
}

/** A zip that begins somewhere in a file. */
class PartOfFile extends RandomAccessReader {
  constructor(
    private readonly path: string,
    private readonly offset: number,
  ) {
    super();
  }

  override _readStreamForRange(start: number, end: number) {
    return createReadStream(this.path, { start: start + this.offset, end: end + this.offset - 1 });
  }
}
