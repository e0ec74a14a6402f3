import { Injectable } from '@nestjs/common';
import { AppError } from '../common/app-error.js';
import { Database } from '../database/sql.js';
import { RecordBound } from './record-bound.js';
import { parseRecordFilter } from './record-filter.js';
import type { CollectionOf, WritingBatch } from './store/record-write.js';
import { type Inserted, insertRecords } from './store/insert-records.js';
import { type FieldsPatch, type Merge, mergeFields } from './store/merge-fields.js';
import { selectRecordsByKeys, type StoredRecord } from './store/select-records-by-keys.js';
import { streamRecordKeys } from './store/stream-record-keys.js';
import { type NewRecord, type Upsert, type Upserted, upsertRecords } from './store/upsert-records.js';

/**
 * Records for item handlers, many at a time: each call is one statement. Writes throw AppError TOO_LARGE, and write nothing, when the tenant
 * would have more than TENANT_RECORDS_BYTES.
 */
@Injectable()
export class RecordStore {
  constructor(
    private readonly database: Database,
    private readonly bound: RecordBound,
  ) {}

  /**
   * The keys of all records that match, in order; streamed.
   * @throws AppError INVALID_INPUT with the path of the filter's wrong field, which begins with "filters"
   */
  keysMatching({ tenant, collection }: CollectionOf, filter: unknown): AsyncIterable<string> {
    return streamRecordKeys(this.database.pool, { tenant, collection, conditions: parseRecordFilter(filter, 'filters') });
  }

  /** Records by key; those that are not there are left out. */
  byKeys({ tenant, collection }: CollectionOf, keys: string[]): Promise<Map<string, StoredRecord>> {
    return selectRecordsByKeys(this.database.pool, tenant, collection, keys);
  }

  /**
   * Writes whole records. Name the batch that writes (`{ batch: context }`), so that its backup is kept.
   * @param records each key once
   */
  upsert(place: CollectionOf, records: NewRecord[], how?: Upsert): Promise<Map<string, Upserted>> {
    return this.bound.within(place.tenant, (connection) => upsertRecords(connection, place, records, how));
  }

  /** Writes those records that are not there yet, and leaves the others as they are. @param records each key once */
  insert(place: CollectionOf, records: NewRecord[], batch?: WritingBatch): Promise<Map<string, Inserted>> {
    return this.bound.within(place.tenant, (connection) => insertRecords(connection, place, records, batch));
  }

  /** Writes fields into records that have not changed since they were read. Resolves to the keys that were written. */
  merge(place: CollectionOf, patches: FieldsPatch[], how?: Merge): Promise<Set<string>> {
    return this.bound.within(place.tenant, (connection) => mergeFields(connection, place, patches, how));
  }
}

/**
 * For a handler that writes several times for the items of one call: those of a write that was refused for its size fail, the others do not.
 * @throws what else the write failed with
 */
export function ifTooLarge(error: unknown): AppError {
  if (error instanceof AppError && error.code === 'TOO_LARGE') return error;
  throw error;
}
