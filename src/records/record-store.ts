import { Injectable } from '@nestjs/common';
import { Database } from '../database/sql.js';
import { parseRecordFilter } from './record-filter.js';
import { type FieldsPatch, mergeFields } from './store/merge-fields.js';
import { selectRecordsByKeys, type StoredRecord } from './store/select-records-by-keys.js';
import { streamRecordKeys } from './store/stream-record-keys.js';
import { type NewRecord, type Upserted, upsertRecords } from './store/upsert-records.js';

/** A tenant's collection. */
export interface CollectionOf {
  tenant: string;
  collection: string;
}

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

  /** Writes whole records. @param records each key once */
  upsert({ tenant, collection }: CollectionOf, records: NewRecord[]): Promise<Map<string, Upserted>> {
    return upsertRecords(this.database.pool, tenant, collection, records);
  }

  /** Writes fields into records that have not changed since they were read. Resolves to the keys that were written. */
  merge({ tenant, collection }: CollectionOf, patches: FieldsPatch[]): Promise<Set<string>> {
    return mergeFields(this.database.pool, tenant, collection, patches);
  }
}
