import { IsInt, IsOptional, IsString, IsUUID, MaxLength, Min } from 'class-validator';
import { AppError } from '../common/app-error.js';
import { Config } from '../config.js';
import type { Contents } from '../records/contents/contents.js';
import { FileContents } from '../records/contents/file-contents.js';
import { type Item, type ItemContext, ItemHandler, type ItemHandlerClass, type ItemResult, PermanentError } from './item-handler.js';

/** A stored file. What is more than its id is for those who look at the item. */
export class ReadFilePayload {
  @IsUUID() fileId: string;
  @IsOptional() @IsString() @MaxLength(500) filename?: string;
  /** bytes */
  @IsOptional() @IsInt() @Min(0) size?: number;
  @IsOptional() @IsString() @MaxLength(64) sha256?: string;
}

export class ReadFileParameters {
  /** The upload that brought the files: they are kept for as long as its batch is. */
  @IsOptional() @IsUUID() uploadId?: string;
}

const EXCERPT_CHARACTERS = 5_000;
const MAX_SHEETS = 100;
const MAX_HEADER_CELLS = 20;
const MAX_COLUMNS = 500;
const MAX_NAME_CHARACTERS = 60;

/** Reads a stored file: pages and text of a PDF, sheets of a workbook, columns of a CSV. */
@ItemHandler('read-file', { payload: ReadFilePayload, parameters: ReadFileParameters, writesRecords: false, thread: 'own' })
export class ReadFileItemHandler implements ItemHandlerClass<ReadFilePayload, ReadFileParameters> {
  /** Files that one process reads at the same time, over all batches. */
  readonly slotsPerWorker: number;
  private reading = 0;

  constructor(
    config: Config,
    private readonly contents: FileContents,
  ) {
    this.slotsPerWorker = config.uploadConcurrentFiles;
  }

  async run({ payload }: Item<ReadFilePayload>, context: ItemContext<ReadFileParameters>): Promise<ItemResult> {
    this.reading += 1;
    context.logger.info(`[Queue] Processing ${this.reading} files...`, { fileId: payload.fileId });
    try {
      const onProgress = (percent: number): void => context.progress(percent);
      const options = { signal: context.signal, onProgress, maxTextCharacters: EXCERPT_CHARACTERS };
      const found = await this.contents.read(context.tenant, payload.fileId, options, context);
      return { output: toOutput(found) };
    } catch (error) {
      throw isFinal(error) ? new PermanentError(error.message) : error;
    } finally {
      this.reading -= 1;
    }
  }
}

/** A file that is not there, or that nobody can read, is the same at the next try. */
function isFinal(error: unknown): error is AppError {
  return error instanceof AppError && (error.code === 'NOT_FOUND' || error.code === 'UNPROCESSABLE');
}

/** What was found, of a bounded size: long lists are cut, and their lengths told. */
function toOutput(found: Contents): object {
  switch (found.kind) {
    case 'workbook': {
      const sheets = found.sheets.slice(0, MAX_SHEETS).map(({ header, ...sheet }) => ({
        ...sheet,
        name: shortened(sheet.name),
        header: header.slice(0, MAX_HEADER_CELLS).map(shortened),
      }));
      return { ...found, sheetCount: found.sheets.length, sheets };
    }
    case 'csv': {
      const columns = found.columns.slice(0, MAX_COLUMNS).map(({ name, type }) => ({ name: shortened(name), type }));
      return { ...found, columnCount: found.columns.length, columns };
    }
    case 'pdf':
    case 'text':
      return found;
  }
}

function shortened(text: string): string {
  return text.slice(0, MAX_NAME_CHARACTERS);
}
