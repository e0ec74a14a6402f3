import { type Connection, run, type Statement } from '../../database/sql.js';

const NEWEST: Statement = {
  name: 'select-newest-edits',
  text: `
    SELECT batch_id, seq,
      CASE WHEN sum(octet_length(payload)) OVER (ORDER BY batch_id, seq) - octet_length(payload) < $4::float8 THEN payload END AS payload
    FROM (
      SELECT DISTINCT ON (e.batch_id, e.seq) e.batch_id, e.seq, e.payload::text AS payload
      FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS p (batch_id, first, last)
      JOIN item_edit e ON e.batch_id = p.batch_id AND e.seq BETWEEN p.first AND p.last
      ORDER BY e.batch_id, e.seq, e.no DESC
    ) newest ORDER BY batch_id, seq`,
};

export interface NewestEdit {
  batch_id: string;
  seq: number;
  /** JSON text; null: those before it have as many bytes as may be read. */
  payload: string | null;
}

/** Items of a batch from one position to another. */
export interface Positions {
  batchId: string;
  first: number;
  last: number;
}

/** What items were given last, of those that were edited. */
export function selectNewestEdits(connection: Connection, positions: Positions[], maxBytes: number): Promise<NewestEdit[]> {
  return run<NewestEdit>(connection, NEWEST, [
    positions.map(({ batchId }) => batchId),
    positions.map(({ first }) => first),
    positions.map(({ last }) => last),
    maxBytes,
  ]);
}

/** The same of one batch: JSON texts by position. */
export async function newestPayloads(connection: Connection, batchId: string, first: number, last: number): Promise<Map<number, string>> {
  const edits = await selectNewestEdits(connection, [{ batchId, first, last }], Infinity);
  return new Map(edits.map(({ seq, payload }) => [seq, payload!]));
}

const MEASURE: Statement = {
  name: 'measure-edits',
  text: `SELECT count(*)::int AS count, coalesce(sum(octet_length(payload::text)), 0)::float8 AS bytes FROM item_edit WHERE batch_id = $1`,
};

export interface EditsOfBatch {
  count: number;
  bytes: number;
}

/** How many edits a batch has: they are never taken back, so that another number tells of another edit. */
export async function measureEdits(connection: Connection, batchId: string): Promise<EditsOfBatch> {
  const [measured] = await run<EditsOfBatch>(connection, MEASURE, [batchId]);
  return measured!;
}

const INSERT: Statement = {
  name: 'insert-edit',
  text: `
    INSERT INTO item_edit (batch_id, seq, no, payload, edited_by)
    SELECT $1::text, $2::int, coalesce(max(no), 0) + 1, $3::json, $4::text FROM item_edit WHERE batch_id = $1 AND seq = $2`,
};

/** The caller holds the lock of the batch's current run. @param payload JSON text */
export async function insertEdit(
  connection: Connection,
  edit: { batchId: string; seq: number; payload: string; editedBy: string | null },
): Promise<void> {
  await run(connection, INSERT, [edit.batchId, edit.seq, edit.payload, edit.editedBy]);
}

const SELECT_EDITS: Statement = {
  name: 'select-edits-of-item',
  text: `
    SELECT no, payload, edited_by, edited_at FROM (
      SELECT no, payload::text AS payload, edited_by, edited_at,
        sum(octet_length(payload::text)) OVER (ORDER BY no DESC) - octet_length(payload::text) AS bytes_before
      FROM item_edit WHERE batch_id = $1 AND seq = $2 ORDER BY no DESC LIMIT 100
    ) newest WHERE bytes_before < 8000000 ORDER BY no`,
};

export interface EditRow {
  no: number;
  /** JSON text */
  payload: string;
  edited_by: string | null;
  edited_at: Date;
}

/** What an item was given, oldest first: the newest hundred, or some megabytes. */
export function selectEdits(connection: Connection, batchId: string, seq: number): Promise<EditRow[]> {
  return run<EditRow>(connection, SELECT_EDITS, [batchId, seq]);
}
