import { ArrayMaxSize, IsArray, IsOptional, IsString } from 'class-validator';
import { setImmediate } from 'node:timers/promises';
import type { Annotation } from '../ai/offline/analyze.js';
import { type Readable, readableOf } from '../ai/offline/readable.js';
import { AppError } from '../common/app-error.js';
import { IsCollectionName } from '../records/collection-name.js';
import { FileStore } from '../records/file-store.js';
import { ifTooLarge, RecordStore } from '../records/record-store.js';
import type { FieldsPatch } from '../records/store/merge-fields.js';
import type { StoredRecord } from '../records/store/select-records-by-keys.js';
import { annotationConflict } from './annotation-conflict.js';
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

export class AnnotateParameters {
  @IsOptional() @IsCollectionName() collection: string = 'records';
  /** The fields to read, dotted; default: all text fields of the record. */
  @IsOptional() @IsArray() @ArrayMaxSize(50) @IsString({ each: true }) textFields?: string[];
}

/** Records of a statement: large enough for speed, small enough for records of a megabyte. */
const SLICE = 100;

/**
 * Reads records and writes what it found into their `annotation` field, with `annotation_status: "done"`. An item's key is its
 * record's key; the filters choose records (see docs/records.md), no filters all of the collection.
 *
 * A record that changed while it was being read is tried again, or written all the same when the batch's `conflictResolution` is
 * `overwrite`. With `skip` or `fail` a record that is annotated already, by somebody else than this batch, is left as it is.
 */
@ItemHandler('annotate', { parameters: AnnotateParameters, filters: 'any' })
export class AnnotateItemHandler implements ItemHandlerClass<unknown, AnnotateParameters, Record<string, unknown>> {
  constructor(
    private readonly records: RecordStore,
    private readonly files: FileStore,
  ) {}

  async *selectItems(filters: Record<string, unknown>, context: SelectionContext<AnnotateParameters>): AsyncGenerator<NewItem> {
    const { tenant, parameters } = context;
    const { collection } = parameters;
    let isAny = false;
    for await (const key of this.records.keysMatching({ tenant, collection }, filters)) {
      isAny = true;
      yield { key };
    }
    const whichNot = Object.keys(filters).length > 0 ? ' that the filters choose' : '';
    if (!isAny) context.warn(`the collection ${collection} has no record${whichNot}`);
  }

  async runChunk(items: Item[], context: ChunkContext<AnnotateParameters>): Promise<ItemOutcome[]> {
    const outcomes: ItemOutcome[] = [];
    for (let from = 0; from < items.length; from += SLICE) {
      outcomes.push(...(await this.annotateSlice(items.slice(from, from + SLICE), context)));
    }
    return outcomes;
  }

  private async annotateSlice(items: Item[], context: ChunkContext<AnnotateParameters>): Promise<ItemOutcome[]> {
    const { collection, textFields } = context.parameters;
    const place = { tenant: context.tenant, collection };
    const keys = items.map(({ key }) => key);
    const patches = new Map<string, FieldsPatch & { patch: { annotation: Annotation } }>();
    const durations = new Map<string, number>();
    const conflicts = new Map<string, ItemOutcome>();
    // Its grammar takes 0.8 s to load, which a process that annotates nothing need not wait for.
    const { analyze } = await import('../ai/offline/analyze.js');
    for (const record of (await this.records.byKeys(place, keys)).values()) {
      context.signal.throwIfAborted();
      const conflict = annotationConflict(record, context);
      if (conflict) {
        conflicts.set(record.key, conflict);
        continue;
      }
      const startedAt = performance.now();
      const text = await this.read(record, context.tenant, textFields);
      if (text instanceof PermanentError) {
        conflicts.set(record.key, { error: text });
        continue;
      }
      const annotation = analyze(text);
      patches.set(record.key, { key: record.key, version: record.version, patch: { annotation, annotation_status: 'done' } });
      durations.set(record.key, performance.now() - startedAt);
      // Analysis holds the processor: heartbeats, requests and other lanes get their turn between two records.
      await setImmediate();
    }
    const anyVersion = context.conflictResolution === 'overwrite';
    const written = await this.records.merge(place, [...patches.values()], { anyVersion, batch: context }).catch(ifTooLarge);
    return keys.map((key) => {
      const conflict = conflicts.get(key);
      if (conflict) return conflict;
      const annotation = patches.get(key)?.patch.annotation;
      if (!annotation) return { error: new PermanentError(`record ${key} not found in collection ${collection}`) };
      if (written instanceof AppError) return { error: written };
      if (!written.has(key)) return { error: new Error(`record ${key} changed while it was being read`) };
      return { output: annotation, quality: annotation.qualityScore, durationMs: durations.get(key) };
    });
  }

  /** @returns also why a record alone cannot be read */
  private async read(
    { fields, fileId }: StoredRecord,
    tenant: string,
    textFields: string[] | undefined,
  ): Promise<Readable | PermanentError> {
    try {
      return readableOf(fields, { textFields, file: fileId ? await this.files.readText(tenant, fileId) : undefined });
    } catch (error) {
      if (error instanceof AppError && error.code === 'CONFLICT') return new PermanentError(error.message);
      throw error;
    }
  }
}
