import { Injectable } from '@nestjs/common';
import { Database } from '../database/sql.js';
import { parseRecordFilter } from './record-filter.js';
import type { CollectionOf, WritingBatch } from './store/record-write.js';
import { type Inserted, insertRecords } from './store/insert-records.js';
import { type FieldsPatch, type Merge, mergeFields } from './store/merge-fields.js';
import { selectRecordsByKeys, type StoredRecord } from './store/select-records-by-keys.js';
import { streamRecordKeys } from './store/stream-record-keys.js';
import { type NewRecord, type Upsert, type Upserted, upsertRecords } from './store/upsert-records.js';

/** Records for item handlers, many at a time: each call is one statement. */
@Injectable()
export class RecordStore {
  constructor(private readonly database: Database) {}

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
    return upsertRecords(this.database.pool, place, records, how);
  }

  /** Writes those records that are not there yet, and leaves the others as they are. @param records each key once */
  insert(place: CollectionOf, records: NewRecord[], batch?: WritingBatch): Promise<Map<string, Inserted>> {
    return insertRecords(this.database.pool, place, records, batch);
  }

  /** Writes fields into records that have not changed since they were read. Resolves to the keys that were written. */
  merge(place: CollectionOf, patches: FieldsPatch[], how?: Merge): Promise<Set<string>> {
    return mergeFields(this.database.pool, place, patches, how);
  }
}
