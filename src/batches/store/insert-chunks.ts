import { bigintArray, byteaArray, integerArray, textArray } from '../../database/binary-array.js';
import { type Connection, run, type Statement } from '../../database/sql.js';

/** Chunks with their packed items, all of one intake, in one statement. The arrays run side by side. */
const INSERT_CHUNKS: Statement = {
  name: 'insert-chunks',
  text: `
    WITH added AS (
      INSERT INTO chunk (run_id, no, size, state, intake)
      SELECT $1, c.no, c.size, $2, $3 FROM unnest($4::bigint[], $5::integer[]) AS c (no, size)
    )
    INSERT INTO chunk_items (run_id, no, items, keys)
    SELECT $1, i.no, i.items, i.keys FROM unnest($4::bigint[], $6::text[], $7::bytea[]) AS i (no, items, keys)`,
};

export interface PackedChunk {
  /** Position of its first item. */
  firstSeq: number;
  size: number;
  /** JSON array of `{ key?, payload? }` */
  items: string;
  /** Which keys they may have, see `summaryOf`; null: any. */
  keys: Buffer | null;
}

export async function insertChunks(
  connection: Connection,
  where: { runId: string; state: number; intake: string | null },
  chunks: PackedChunk[],
): Promise<void> {
  await run(connection, INSERT_CHUNKS, [
    where.runId,
    where.state,
    where.intake,
    bigintArray(chunks.map((chunk) => chunk.firstSeq)),
    integerArray(chunks.map((chunk) => chunk.size)),
    textArray(chunks.map((chunk) => chunk.items)),
    byteaArray(chunks.map((chunk) => chunk.keys)),
  ]);
}

const ACCEPT: Statement = {
  name: 'accept-intake',
  text: `UPDATE chunk SET state = 0, intake = NULL WHERE intake = $1 AND state = 3`,
};

/** Makes an intake's staged chunks claimable. */
export async function acceptIntake(connection: Connection, intake: string): Promise<void> {
  await run(connection, ACCEPT, [intake]);
}

const DISCARD: Statement = {
  name: 'discard-intake',
  text: `
    WITH gone AS (DELETE FROM chunk WHERE intake = $1 AND state = 3 RETURNING run_id, no)
    DELETE FROM chunk_items i USING gone WHERE i.run_id = gone.run_id AND i.no = gone.no`,
};

export async function discardIntake(connection: Connection, intake: string): Promise<void> {
  await run(connection, DISCARD, [intake]);
}

const DISCARD_ABANDONED: Statement = {
  name: 'discard-abandoned-intakes',
  text: `
    WITH gone AS (
      DELETE FROM chunk WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM chunk WHERE state = 3 AND created_at < now() - interval '1 day' FOR UPDATE SKIP LOCKED
      )) RETURNING run_id, no
    )
    DELETE FROM chunk_items i USING gone WHERE i.run_id = gone.run_id AND i.no = gone.no`,
};

/** Removes what was staged by processes that died before they could accept or discard it. */
export async function discardAbandonedIntakes(connection: Connection): Promise<void> {
  await run(connection, DISCARD_ABANDONED, []);
}
