import type { BatchView, LineProblem } from '../batches/batch.view.js';
import type { DeletedFile } from './commands/delete-file.command.js';
import type { CollectionView, DeletedRecords, FileView, RecordView } from './record.view.js';

export class RecordReply {
  success: true;
  data: RecordView;
}

export class RecordsPagination {
  limit: number;
  /** The `afterKey` of the next page; null on the last one. */
  nextKey: string | null;
  /** All records that match; only when `count` was asked for. */
  total?: number;
}

export class RecordsReply {
  success: true;
  data: RecordView[];
  pagination: RecordsPagination;
}

export class CollectionsPagination {
  limit: number;
  /** The `afterName` of the next page; null on the last one. */
  nextName: string | null;
}

export class CollectionsReply {
  success: true;
  data: CollectionView[];
  pagination: CollectionsPagination;
}

export class DeletedRecordsReply {
  success: true;
  data: DeletedRecords;
}

export class ImportReply {
  success: true;
  /** The batch that writes the rows. */
  data: BatchView;
  /** Rows that were left out. */
  skipped: number;
  /** Why, of the first of them. */
  problems: LineProblem[];
  /** What of the rows is not sure, or was not read. */
  warnings: string[];
}

export class FileReply {
  success: true;
  data: FileView;
}

export class StoredFilesReply extends FileReply {
  /** All files of the form, in its order; `data` is the first of them. */
  files: FileView[];
}

export class FilesPagination {
  limit: number;
  /** The `afterId` of the next page; null on the last one. */
  nextId: string | null;
}

export class FilesReply {
  success: true;
  data: FileView[];
  pagination: FilesPagination;
}

export class DeletedFileReply {
  success: true;
  data: DeletedFile;
}
