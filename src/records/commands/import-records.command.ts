import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsArray, IsIn, IsOptional, IsString, MaxLength, MinLength, ValidateNested } from 'class-validator';
import { BatchOptionsInput } from '../../batches/batch.options.js';
import type { BatchView, LineProblem } from '../../batches/batch.view.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import type { ItemSource } from '../../batches/item-source.js';
import { AppError, invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import { type Caller, callerWithin, Procedures } from '../../common/procedure.js';
import { IsCollectionName } from '../collection-name.js';
import { FileStore } from '../file-store.js';
import { toImportItems } from '../import-items.js';
import { LARGE_NUMBERS, type LargeNumbers } from '../parse/large-numbers.js';
import type { ParsedRow } from '../parse/line.js';
import type { CellTypes } from '../parse/parse-csv.js';
import { parseRows, ROW_FORMATS, type RowFormat, rowsFromArray } from '../parse/parse-rows.js';
import { readFileRows } from '../read-file-rows.js';

/**
 * Imports rows into a collection: makes a batch of operation `import` with one item a row, and starts it. Give one of `source`
 * (bytes, with their format), `rows` or `fileId`. Of two rows with the same key the later one stays, as long as
 * `options.concurrency` is not above 50: with more, rows are not written in their order.
 */
export class ImportRecords extends Command<ImportReceipt> {
  @IsCollectionName() collection: string;
  @IsOptional() @Opaque() source?: AsyncIterable<Buffer>;
  @IsOptional() @Opaque() @IsArray() rows?: unknown[];
  @IsOptional() @IsString() @MaxLength(100) fileId?: string;
  /** Needed with `source`; default with `fileId`: what the file's type or name tells. */
  @IsOptional() @IsIn(ROW_FORMATS) format?: RowFormat;
  /** The field whose value is the record's key; default: the row's number. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(500) keyField?: string;
  /** How cells of CSV are read; default `auto`. */
  @IsOptional() @IsIn(['auto', 'text']) cells?: CellTypes;
  /** JSON only: rows with numbers that JavaScript would round are wrong (`refuse`, default), or keep them as text. */
  @IsOptional() @IsIn(LARGE_NUMBERS) largeNumbers?: LargeNumbers;
  /** `refuse` (default) imports all rows or none; `skip` leaves wrong rows out and reports them. */
  @IsOptional() @IsIn(['refuse', 'skip']) onInvalid?: 'refuse' | 'skip';
  @IsOptional() @IsString() @MaxLength(500) name?: string;
  @IsOptional() @ValidateNested() @Type(() => BatchOptionsInput) options?: BatchOptionsInput;

  caller: Caller;
}

export interface ImportReceipt {
  batch: BatchView;
  /** Rows that were left out. */
  skipped: number;
  /** The first hundred of them. */
  problems: LineProblem[];
}

@CommandHandler(ImportRecords)
export class ImportRecordsHandler implements ICommandHandler<ImportRecords> {
  constructor(
    private readonly procedures: Procedures,
    private readonly files: FileStore,
  ) {}

  /** @throws AppError INVALID_INPUT with the wrong rows; then nothing is left of the import */
  async execute(input: ImportRecords): Promise<ImportReceipt> {
    const { caller, collection, keyField, fileId, name, options, onInvalid } = input;
    const rows = this.rowsOf(input);
    const parameters = { collection, keyField, fileId };
    const report = { skipped: 0, problems: [] as LineProblem[] };
    const items = toImportItems(rows, keyField);
    const source = onInvalid === 'skip' ? withoutProblems(items, report) : items;
    const { id } = await inRows(
      this.procedures.call(
        CreateBatch,
        { operation: 'import', name: name ?? `Import into ${collection}`, parameters, options, source },
        callerWithin(caller, ImportRecords, (batch: BatchView) => ({ batch, ...report })),
      ),
    );
    return { batch: await this.procedures.call(GetBatch, { batchId: id }, caller), ...report };
  }

  private rowsOf({ caller, source, rows, fileId, format, ...options }: ImportRecords): AsyncIterable<ParsedRow[]> {
    const { keyField, cells, largeNumbers } = options;
    const given = [source, rows, fileId].filter((value) => value !== undefined).length;
    if (given !== 1) throw invalidField('source', 'give the rows in exactly one of source, rows and fileId');
    if (fileId !== undefined) return readFileRows(this.files, caller.tenant, { fileId, format, keyField, cells, largeNumbers });
    if (rows && largeNumbers) throw invalidField('largeNumbers', 'is for rows that are read from text; give such numbers in rows as text');
    if (rows) return rowsFromArray(rows);
    if (!format) throw invalidField('format', 'say which format the source has: ndjson, json or csv');
    return parseRows(source!, format, { cells, textColumn: keyField, largeNumbers });
  }
}

/** The items of the batch are the rows of whoever imports them. */
async function inRows<T>(creation: Promise<T>): Promise<T> {
  try {
    return await creation;
  } catch (error) {
    if (!(error instanceof AppError) || !error.details.errors) throw error;
    const errors = error.details.errors.map((each) => ({ ...each, path: each.path.replace(/^items\./, 'rows.') }));
    throw new AppError(error.code, error.message, { details: { ...error.details, errors }, cause: error });
  }
}

const MAX_PROBLEMS = 100;

/** Leaves wrong rows out and notes them. */
async function* withoutProblems(items: ItemSource, report: Pick<ImportReceipt, 'skipped' | 'problems'>): ItemSource {
  for await (const slice of items) {
    for (const item of slice) {
      if (!('problem' in item)) continue;
      report.skipped += 1;
      if (report.problems.length < MAX_PROBLEMS) report.problems.push({ line: item.line, message: item.problem });
    }
    yield slice.filter((item) => !('problem' in item));
  }
}
