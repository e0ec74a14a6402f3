import type { Connection } from '../database/sql.js';
import { laneWidths } from './dialects.js';
import { CHUNK_STATE } from './entities/chunk.entity.js';
import { packChunks } from './intake.js';
import { keyOf, type PackedItem } from './packed-item.js';
import { type ChosenItems, type ChunkOfChosen, chunksOfChosen } from './store/choose-items.js';
import { insertChunks } from './store/insert-chunks.js';
import { newestPayloads } from './store/item-edits.js';
import type { BatchRow } from './store/select-batches.js';

export interface StagedRepeat {
  /** As it was when the items were chosen. Nothing of an ended run changes, so that they stay right until a new one begins. */
  batch: BatchRow;
  items: ChosenItems;
  /** Of the new run. */
  runId: string;
  intake: string;
  /** Tries go on counting from those an item has used. */
  continued: boolean;
  /** How many edits of payloads there were before the items were read. */
  edits: number;
  /** A new payload, as JSON text, of the one item. */
  given: { seq: number; payload: string } | null;
}

/** Copies the chosen items into chunks of the new run, which nobody sees before it starts; holds a few megabytes at a time. */
export async function stageRepeat(connection: Connection, repeat: StagedRepeat): Promise<void> {
  const { batch, items, runId, intake, continued, given } = repeat;
  for await (const page of chunksOfChosen(connection, items)) {
    const seqs = page.flatMap((chunk) => chunk.seqs);
    const payloads = repeat.edits > 0 ? await newestPayloads(connection, batch.id, seqs[0]!, seqs.at(-1)!) : new Map<number, string>();
    if (given) payloads.set(given.seq, given.payload);
    const texts = page.flatMap((chunk) => itemTexts(chunk, continued, payloads));
    const chunkSize = Math.min(batch.options.batchSize, Math.ceil(texts.length / laneWidths(batch.options).length));
    const where = { runId, state: CHUNK_STATE.staged, intake };
    await insertChunks(
      connection,
      where,
      packChunks({ texts }, chunkSize, (index) => seqs[index]!),
    );
  }
}

/** JSON texts of `{ seq, attempt, key, payload? }`. @param payloads JSON texts of those that were edited */
function itemTexts({ no, items, seqs, attempts }: ChunkOfChosen, continued: boolean, payloads: Map<number, string>): string[] {
  const firstSeq = Number(no);
  const packed = JSON.parse(items) as PackedItem[];
  return seqs.map((seq, index) => {
    const item = packed[seq - firstSeq]!;
    const attempt = continued ? attempts[index]! + 1 : 1;
    const edited = payloads.get(seq);
    const payload: unknown = edited === undefined ? item.payload : JSON.parse(edited);
    return JSON.stringify({ seq, attempt, key: keyOf(item, seq), payload });
  });
}
