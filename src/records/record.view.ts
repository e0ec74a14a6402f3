import type { FileEntity } from './entities/file.entity.js';
import type { Fields } from './record-fields.js';

/** A record as JSON. Times are ISO 8601. */
export class RecordView {
  collection: string;
  key: string;
  fields: Fields;
  fileId: string | null;
  createdAt: string;
  updatedAt: string;
}

/** One page of records, in the order of their keys. */
export interface RecordPage {
  rows: RecordView[];
  limit: number;
  /** Give it as `afterKey` to get the next page; null on the last one. */
  nextKey: string | null;
  /** All records that match; only when `count` was asked for. */
  total?: number;
}

/** A stored file as JSON. */
export class FileView {
  id: string;
  name: string;
  mediaType: string;
  /** bytes */
  size: number;
  sha256: string;
  createdAt: string;
}

/** The columns of `record` that a view is made of. */
export interface RecordRow {
  collection: string;
  key: string;
  fields: Fields;
  fileId: string | null;
  createdAt: Date;
  updatedAt: Date;
}

export function toRecordView(row: RecordRow): RecordView {
  return {
    collection: row.collection,
    key: row.key,
    fields: row.fields,
    fileId: row.fileId,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

export function toFileView(file: FileEntity): FileView {
  return {
    id: file.id,
    name: file.name,
    mediaType: file.mediaType,
    size: Number(file.size),
    sha256: file.sha256,
    createdAt: file.createdAt.toISOString(),
  };
}
