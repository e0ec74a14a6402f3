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

export class DeletedRecords {
  /** How many. */
  deleted: number;
  /** False when there was no time for all of them; ask again. */
  complete: boolean;
}

/** A collection: it is there as long as it has records. */
export class CollectionView {
  name: string;
  records: number;
  /** Of keys and fields as JSON text. */
  bytes: number;
}

/** One page of collections, by name. */
export interface CollectionPage {
  rows: CollectionView[];
  limit: number;
  /** Give it as `afterName` to get the next page; null on the last one. */
  nextName: string | null;
}

/** A stored file as JSON. */
export class FileView {
  id: string;
  name: string;
  mediaType: string;
  /** bytes */
  size: number;
  sha256: string;
  /** The upload that it came with; it goes when that upload's batch does. */
  uploadId: string | null;
  createdAt: string;
}

/** One page of files, newest first. */
export interface FilePage {
  rows: FileView[];
  limit: number;
  /** Give it as `afterId` to get the next page; null on the last one. */
  nextId: string | null;
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
    uploadId: file.uploadId ?? null,
    createdAt: file.createdAt.toISOString(),
  };
}
