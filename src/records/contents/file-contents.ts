import { Injectable } from '@nestjs/common';
import { isTabSeparated } from '../../common/media-types.js';
import { Config } from '../../config.js';
import { Threads, type ThreadUser } from '../../threads/threads.js';
import type { FileEntity } from '../entities/file.entity.js';
import { toFileFault } from '../file-faults.js';
import { FileStore } from '../file-store.js';
import { type Contents, isDiskError, type ReadOptions } from './contents.js';
import { HEAD_BYTES, kindOf, unknownKind } from './file-kind.js';
import type { ReadContentsInput } from './read-contents.thread.js';

const MAX_TEXT_CHARACTERS = 100_000;
/** What the parsers may take of it: a 50 MB workbook needs 60 MB; a file that unfolds to gigabytes fails alone. */
const MEMORY_MB = 256;
/** Through the package's root: sources that a test compiles in memory find the built module. */
const THREAD = new URL('../../../dist/records/contents/read-contents.thread.js', import.meta.url);

/** What is in stored files: the text of a PDF, the sheets of a workbook, the columns of a CSV, or plain text. */
@Injectable()
export class FileContents {
  constructor(
    private readonly config: Config,
    private readonly files: FileStore,
    private readonly threads: Threads,
  ) {}

  /**
   * Reads a file by what its bytes are, in a thread; its name only tells CSV from other text.
   * @param item that wants it read, if it is one: its limits hold
   * @throws AppError NOT_FOUND for an id that the tenant does not have, UNPROCESSABLE for a file that can never be read, CONFLICT when
   * its bytes are gone or are not those that were stored, UNAVAILABLE when they cannot be had now; ResourceLimitError; the signal's reason when that is aborted
   */
  async read(tenant: string, fileId: string, options: ReadOptions = {}, item?: ThreadUser['item']): Promise<Contents> {
    const file = await this.files.find(tenant, fileId);
    const { signal = new AbortController().signal, onProgress, maxTextCharacters = MAX_TEXT_CHARACTERS, cells = false } = options;
    try {
      await this.files.verify(file, signal);
      const head = await this.head(file);
      const kind = kindOf(head, file);
      if (!kind) throw await unknownKind(head);
      const input: ReadContentsInput = { kind, path: this.files.pathOf(file), size: Number(file.size), maxTextCharacters, cells };
      if (kind === 'csv') input.isTabSeparated = isTabSeparated({ contentType: file.mediaType, name: file.name });
      const cpu = { ms: this.config.readCpuMs, setBy: 'allowed for a file (READ_CPU_MS)' };
      return await this.threads.run<Contents>({ module: THREAD, input, memoryMb: MEMORY_MB, cpu }, { signal, progress: onProgress, item });
    } catch (error) {
      signal.throwIfAborted();
      throw isDiskError(error) ? toFileFault(error) : error;
    }
  }

  private async head(file: FileEntity): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.files.read(file, HEAD_BYTES)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}
