import type { Page } from '../../batches/batch.view.js';

export interface DataReply<Data> {
  success: true;
  data: Data;
}

export interface PageReply<Row> extends DataReply<Row[]> {
  pagination: Omit<Page<Row>, 'rows'>;
}

export function toPageReply<Row>({ rows, ...pagination }: Page<Row>): PageReply<Row> {
  return { success: true, data: rows, pagination };
}
