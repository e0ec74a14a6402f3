import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsArray, IsIn, IsOptional, IsString, MaxLength, MinLength, ValidateNested } from 'class-validator';
import { BatchOptionsInput } from '../../batches/batch.options.js';
import type { BatchView, LineProblem } from '../../batches/batch.view.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import type { ItemSource } from '../../batches/item-source.js';
import { AppError, fieldError, invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import { type Caller, callerWithin, Procedures } from '../../common/procedure.js';
import { IsCollectionName } from '../collection-name.js';
import type { CellTypes } from '../csv/column-type.js';
import { CsvField, type RaggedRows } from '../csv/csv.options.js';
import { FileStore } from '../file-store.js';
import { toImportItems } from '../import-items.js';
import { LARGE_NUMBERS, type LargeNumbers } from '../parse/large-numbers.js';
import type { ParsedRow } from '../parse/line.js';
import { ROW_FORMATS, type RowFormat, rowsFromArray } from '../parse/parse-rows.js';
import { readFileRows } from '../read-file-rows.js';
import { readStreamRows } from '../read-stream-rows.js';

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
  /** What the sender of `source` calls it, with its parameters. */
  @IsOptional() @IsString() @MaxLength(500) contentType?: string;
  /** Default: what the type, the file's name or the bytes tell. */
  @IsOptional() @IsIn(ROW_FORMATS) format?: RowFormat;
  /** The field whose value is the record's key; default: the row's number. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(500) keyField?: string;
  /** CSV: what parts the cells, one character or `tab`. Found out, like the other settings of CSV, when it is not said. */
  @CsvField.delimiter() delimiter?: string;
  /** CSV: what cells are wrapped in, one character or `none`. */
  @CsvField.quote() quote?: string;
  /** CSV: the line that names the columns, counted from 1, or `none`. */
  @CsvField.header() header?: number | 'none';
  /** As in a content type: `utf-8`, `windows-1252`. */
  @CsvField.charset() charset?: string;
  /** CSV: lines that begin with it are no rows. */
  @CsvField.comment() comment?: string;
  /** CSV: what is done with rows that have fewer cells than the header, or values beyond it; default `pad`. */
  @CsvField.raggedRows() raggedRows?: RaggedRows;
  /** CSV: how cells are read; default `auto`. */
  @CsvField.cells() cells?: CellTypes;
  /** JSON: rows with numbers that JavaScript would round are wrong (`refuse`, default), or keep them as text. */
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
    const parameters = { collection, keyField, fileId, ...settingsOf(input) };
    const report = { skipped: 0, problems: [] as LineProblem[] };
    const items = toImportItems(this.rowsOf(input), keyField);
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

  private rowsOf(input: ImportRecords): AsyncIterable<ParsedRow[]> {
    const { caller, source, rows, fileId, contentType, keyField } = input;
    const settings = settingsOf(input);
    const given = [source, rows, fileId].filter((value) => value !== undefined).length;
    if (given !== 1) throw invalidField('source', 'is one of three ways to give the rows, beside rows and fileId; take exactly one');
    if (contentType !== undefined && !source) throw invalidField('contentType', 'goes only with a source; leave it out');
    if (rows) return rowsFromArray(rows, settings);
    const options = { ...settings, textColumn: keyField };
    if (fileId !== undefined) return readFileRows(this.files, caller.tenant, { ...options, fileId });
    return readStreamRows(this.files, source!, { ...options, contentType });
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

/** How the rows are to be read. */
function settingsOf({ format, delimiter, quote, header, charset, comment, raggedRows, cells, largeNumbers }: ImportRecords) {
  return { format, delimiter, quote, header, charset, comment, raggedRows, cells, largeNumbers };
}

const MAX_PROBLEMS = 100;

/** Leaves wrong rows out and notes them. @throws AppError INVALID_INPUT when all of them are */
async function* withoutProblems(items: ItemSource, report: Pick<ImportReceipt, 'skipped' | 'problems'>): ItemSource {
  let added = 0;
  for await (const slice of items) {
    const right = slice.filter((item) => !('problem' in item));
    for (const item of slice) {
      if (!('problem' in item)) continue;
      report.skipped += 1;
      if (report.problems.length < MAX_PROBLEMS) report.problems.push({ line: item.line, message: item.problem });
    }
    added += right.filter((item) => !('warning' in item)).length;
    yield right;
  }
  if (report.skipped === 0) return;
  const { line, message } = report.problems[0]!;
  if (added === 0) throw allWrong(report);
  yield [{ warning: `${report.skipped} of ${added + report.skipped} rows were left out as wrong; the first: line ${line}: ${message}` }];
}

function allWrong({ skipped, problems }: Pick<ImportReceipt, 'skipped' | 'problems'>): AppError {
  const errors = problems.map(({ line, message }) => fieldError(`line ${line}`, message));
  const { line, message } = problems[0]!;
  const all = skipped === 1 ? 'the only row is wrong' : `all ${skipped} rows are wrong`;
  return new AppError('INVALID_INPUT', `nothing was imported: ${all}, line ${line}: ${message}`, { details: { errors } });
}
