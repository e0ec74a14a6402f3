import { IsIn, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';
import { AppError, errorOf, fieldError, invalidField } from '../common/app-error.js';
import { IsCollectionName } from '../records/collection-name.js';
import { CsvOptions, ONLY_CSV } from '../records/csv/csv.options.js';
import { FileStore } from '../records/file-store.js';
import { toNewItems } from '../records/import-items.js';
import { LARGE_NUMBERS, type LargeNumbers } from '../records/parse/large-numbers.js';
import { ROW_FORMATS, type RowFormat } from '../records/parse/parse-rows.js';
import { readFileRows } from '../records/read-file-rows.js';
import { type Fields, keyOfRow, problemOfFields } from '../records/record-fields.js';
import { ifTooLarge, RecordStore } from '../records/record-store.js';
import type { Inserted } from '../records/store/insert-records.js';
import type { NewRecord, Upserted } from '../records/store/upsert-records.js';
import {
  type ChunkContext,
  type Item,
  ItemHandler,
  type ItemHandlerClass,
  type ItemOutcome,
  type NewItem,
  PermanentError,
  type SelectionContext,
} from './item-handler.js';

export class ImportFilters extends CsvOptions {
  @IsOptional() @IsString() @MaxLength(100) fileId?: string;
  @IsOptional() @IsIn(ROW_FORMATS) format?: RowFormat;
  @IsOptional() @IsString() @MinLength(1) @MaxLength(500) keyField?: string;
  @IsOptional() @IsIn(LARGE_NUMBERS) largeNumbers?: LargeNumbers;
}

export class ImportParameters extends ImportFilters {
  @IsCollectionName() collection: string;
}

/** What only matters where rows come from a file. */
const SELECTION = ['fileId', 'format', 'charset', 'largeNumbers', ...ONLY_CSV];

/** Rows of a statement: large enough for speed, small enough for rows of a megabyte. */
const SLICE = 500;

/**
 * Writes rows into a collection: an item's payload is the row, its record's key the row's key field or else the item's key.
 * Rows come as the batch's items, or from a stored file that the parameters or filters name. At the default concurrency a batch has one
 * lane, which writes rows in their order: of two rows with the same key the later one stays.
 *
 * A record that is there already is overwritten, unless the batch's `conflictResolution` says otherwise: its fields stay where the row
 * has none (`merge`), or it stays as it is and the row ends as skipped or failed.
 */
@ItemHandler('import', { parameters: ImportParameters, filters: ImportFilters, selection: SELECTION })
export class ImportItemHandler implements ItemHandlerClass<unknown, ImportParameters, ImportFilters> {
  constructor(
    private readonly records: RecordStore,
    private readonly files: FileStore,
  ) {}

  async *selectItems(filters: ImportFilters, context: SelectionContext<ImportParameters>): AsyncGenerator<NewItem> {
    const { parameters, tenant } = context;
    const settings = { ...parameters, ...withoutUndefined(filters) };
    const { keyField, fileId } = settings;
    if (fileId === undefined) throw invalidField('parameters.fileId', 'name a stored file (POST /api/files), or give the rows as items');
    assertSaidOnce(filters, parameters);
    const rows = readFileRows(this.files, tenant, { ...settings, fileId, textColumn: keyField });
    yield* toNewItems(rows, { keyField, warn: (sentence) => context.warn(sentence) });
  }

  async runChunk(items: Item[], context: ChunkContext<ImportParameters>): Promise<ItemOutcome[]> {
    const outcomes: ItemOutcome[] = [];
    for (let from = 0; from < items.length; from += SLICE) {
      context.signal.throwIfAborted();
      outcomes.push(...(await this.importSlice(items.slice(from, from + SLICE), context)));
    }
    return outcomes;
  }

  private async importSlice(items: Item[], context: ChunkContext<ImportParameters>): Promise<ItemOutcome[]> {
    const { collection, keyField } = context.parameters;
    const rows = items.map((item) => toRecord(item, keyField));
    const chosen = chooseRows(rows, context.conflictResolution);
    const results = await this.write([...chosen.values()], context).catch(ifTooLarge);
    return rows.map((row) => {
      if ('problem' in row) return { error: new PermanentError(row.problem) };
      if (results instanceof AppError) return { error: results };
      const isChosen = chosen.get(row.key) === row;
      const conflict = toConflict(row.key, { isChosen, isThere: results.get(row.key) === 'exists', context });
      return conflict ?? { output: { collection, key: row.key, result: results.get(row.key) } };
    });
  }

  private write(records: NewRecord[], context: ChunkContext<ImportParameters>): Promise<Map<string, Upserted | Inserted>> {
    const { tenant, parameters, conflictResolution } = context;
    const place = { tenant, collection: parameters.collection };
    if (conflictResolution === 'skip' || conflictResolution === 'fail') return this.records.insert(place, records, context);
    return this.records.upsert(place, records, { onConflict: conflictResolution === 'merge' ? 'merge' : 'overwrite', batch: context });
  }
}

type Row = NewRecord | { problem: string };

/** One statement cannot write a record twice: of rows with the same key the last one counts, the first one, or all of them as one. */
function chooseRows(rows: Row[], conflictResolution: ChunkContext['conflictResolution']): Map<string, NewRecord> {
  const chosen = new Map<string, NewRecord>();
  for (const row of rows) {
    if ('problem' in row) continue;
    const earlier = chosen.get(row.key);
    if (!earlier) chosen.set(row.key, row);
    else if (conflictResolution === 'merge') chosen.set(row.key, { ...row, fields: { ...earlier.fields, ...row.fields } });
    else if (conflictResolution !== 'skip' && conflictResolution !== 'fail') chosen.set(row.key, row);
  }
  return chosen;
}

interface RowState {
  /** It is the one that counts of those with its key. */
  isChosen: boolean;
  /** A record with its key and other content was there. */
  isThere: boolean;
  context: ChunkContext<ImportParameters>;
}

/** What a row ends as that was not written. */
function toConflict(key: string, { isChosen, isThere, context }: RowState): ItemOutcome | undefined {
  const { conflictResolution, parameters } = context;
  if (conflictResolution === 'merge' || (isChosen && !isThere)) return undefined;
  if (conflictResolution === 'fail') {
    return { error: new PermanentError(`record ${key} is there already in collection ${parameters.collection}`) };
  }
  if (isThere) return { skipped: `record ${key} is there already` };
  return { skipped: `${conflictResolution === 'skip' ? 'an earlier' : 'a later'} row has the same key ${key}` };
}

function toRecord({ key, payload }: Item, keyField: string | undefined): Row {
  const problem = problemOfFields(payload);
  if (problem) return { problem };
  const fields = payload as Fields;
  const keyed = keyField === undefined ? { key } : keyOfRow(fields, keyField);
  return 'problem' in keyed ? keyed : { key: keyed.key, fields };
}

/** @throws AppError INVALID_INPUT for a setting that the filters and the parameters have with different values */
function assertSaidOnce(filters: ImportFilters, parameters: ImportParameters): void {
  const both = (Object.keys(filters) as (keyof ImportFilters)[]).find((name) => {
    return filters[name] !== undefined && parameters[name] !== undefined && filters[name] !== parameters[name];
  });
  if (!both) return;
  const problem = `is ${filters[both]}, but parameters.${both} is ${parameters[both]}; give it once`;
  throw errorOf('INVALID_INPUT', [fieldError(`filters.${both}`, problem)], [[`parameters.${both}`]]);
}

function withoutUndefined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
