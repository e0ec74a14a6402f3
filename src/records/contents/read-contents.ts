import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { AppError } from '../../common/app-error.js';
import { type Contents, isDiskError, messageOf, type ReadOptions, unreadable } from './contents.js';
import type { FileKind } from './file-kind.js';
import { counted } from './counted.js';
import { readCsv } from './read-csv.js';
import { MAX_PDF_BYTES, readPdf } from './read-pdf.js';
import { readText } from './read-text.js';
import { readWorkbook } from './read-workbook.js';

/** A file on the disk, and what it is. */
export interface FileOfKind {
  kind: FileKind;
  path: string;
  /** bytes */
  size: number;
  /** Of a CSV: its name or type says that tabs part its cells. */
  isTabSeparated?: boolean;
}

const WORDS: Record<FileKind, string> = { pdf: 'PDF', zip: 'workbook', csv: 'CSV', text: 'text file' };

/**
 * @throws AppError UNPROCESSABLE for a file that can never be read; the operating system's error when its bytes cannot be had; the
 * signal's reason when that is aborted
 */
export async function readContents(file: FileOfKind, options: Required<ReadOptions>): Promise<Contents> {
  try {
    return await readAs(file, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof AppError || isDiskError(error)) throw error;
    throw unreadable(WORDS[file.kind], messageOf(error));
  }
}

async function readAs({ kind, path, size, isTabSeparated }: FileOfKind, options: Required<ReadOptions>): Promise<Contents> {
  switch (kind) {
    case 'pdf':
      if (size > MAX_PDF_BYTES) throw unreadable('PDF', `it has ${size} bytes; at most ${MAX_PDF_BYTES} are read; split it`);
      return readPdf(new Uint8Array(await readFile(path, { signal: options.signal })), options);
    case 'zip':
      return readWorkbook(path, options);
    case 'csv':
      return readCsv(
        counted(() => createReadStream(path), size, options),
        { ...options, isTabSeparated },
      );
    case 'text':
      return readText(
        counted(() => createReadStream(path), size, options),
        options,
      );
  }
}
