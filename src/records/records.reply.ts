import type { BatchView, LineProblem } from '../batches/batch.view.js';
import type { FileView, RecordView } from './record.view.js';

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
