import type { Contents } from './contents.js';
import { type FileOfKind, readContents } from './read-contents.js';

export interface ReadContentsInput extends FileOfKind {
  maxTextCharacters: number;
  cells: boolean;
}

/** Reads a file in a thread: a page of a PDF or a part of a workbook may hold the processor for seconds. */
export function run({ maxTextCharacters, cells, ...file }: ReadContentsInput, { signal, progress }: InThread): Promise<Contents> {
  return readContents(file, { signal, onProgress: progress, maxTextCharacters, cells });
}

interface InThread {
  signal: AbortSignal;
  progress: (percent: number) => void;
}
