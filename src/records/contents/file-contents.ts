import { Injectable } from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import { AppError } from '../../common/app-error.js';
import type { FileEntity } from '../entities/file.entity.js';
import { FileStore } from '../file-store.js';
import { type Contents, type ReadOptions, unreadable } from './contents.js';
import { type FileKind, HEAD_BYTES, kindOf, unknownKind } from './file-kind.js';
import { readCsv } from './read-csv.js';
import { MAX_PDF_BYTES, readPdf } from './read-pdf.js';
import { readText } from './read-text.js';
import { readWorkbook } from './read-workbook.js';

const MAX_TEXT_CHARACTERS = 100_000;

const WORDS: Record<FileKind, string> = { pdf: 'PDF', zip: 'workbook', csv: 'CSV', text: 'text file' };

/** What is in stored files: the text of a PDF, the sheets of a workbook, the columns of a CSV, or plain text. */
@Injectable()
export class FileContents {
  constructor(private readonly files: FileStore) {}

  /**
   * Reads a file by what its bytes are; its name only tells CSV from other text.
   * @throws AppError NOT_FOUND for an id that the tenant does not have, UNPROCESSABLE for a file that can never be read, UNAVAILABLE
   * when its bytes cannot be had now; the signal's reason when that is aborted
   */
  async read(tenant: string, fileId: string, options: ReadOptions = {}): Promise<Contents> {
    const file = await this.files.find(tenant, fileId);
    const signal = options.signal ?? new AbortController().signal;
    const { onProgress = () => undefined, maxTextCharacters = MAX_TEXT_CHARACTERS } = options;
    let kind: FileKind | undefined;
    try {
      const head = await this.head(file);
      kind = kindOf(head, file);
      if (!kind) throw await unknownKind(head);
      return await this.readAs(kind, file, { signal, onProgress, maxTextCharacters });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError) throw error;
      if (isDiskError(error))
        throw new AppError('UNAVAILABLE', `the bytes of file ${fileId} cannot be had (${error.code})`, { cause: error });
      throw unreadable(WORDS[kind ?? 'text'], messageOf(error));
    }
  }

  private async readAs(kind: FileKind, file: FileEntity, options: Required<ReadOptions>): Promise<Contents> {
    const size = Number(file.size);
    switch (kind) {
      case 'pdf':
        if (size > MAX_PDF_BYTES) throw unreadable('PDF', `it has ${size} bytes; at most ${MAX_PDF_BYTES} are read; split it`);
        return readPdf(new Uint8Array(await readFile(this.files.pathOf(file), { signal: options.signal })), options);
      case 'zip':
        return readWorkbook(this.files.pathOf(file), options);
      case 'csv':
        return readCsv(this.files.read(file), size, options);
      case 'text':
        return readText(this.files.read(file), size, options);
    }
  }

  private async head(file: FileEntity): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.files.read(file, HEAD_BYTES)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

/** Of the operating system, unlike the ones that say what is wrong with the bytes. */
function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'syscall' in error;
}

/** The parsers throw errors, and now and then something else. */
function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
