import { AppError, type FieldError } from '../common/app-error.js';
import type { Connection } from '../database/sql.js';
import type { BatchOptions } from './batch.options.js';
import type { IntakeReport, LineProblem } from './batch.view.js';
import { laneWidths } from './dialects.js';
import { CHUNK_STATE } from './entities/chunk.entity.js';
import type { ItemSource } from './item-source.js';
import { summaryOf } from './key-summary.js';
import { acceptIntake, discardIntake, insertChunks, type PackedChunk } from './store/insert-chunks.js';
import type { Warnings } from './warnings.js';

/** Rows travel in statements of about this many items, or this many characters when items are large. */
const SLICE_ITEMS = 5_000;
const SLICE_CHARACTERS = 4_000_000;
/** A chunk of large items is cut short, so that what a worker holds stays bounded. */
const CHUNK_CHARACTERS = 1_000_000;
const MAX_PROBLEMS = 100;

/** How an intake writes a slice: `reserve` gives the position of its first item. */
export interface IntakeTarget {
  runId: string;
  options: Pick<BatchOptions, 'batchSize' | 'concurrency' | 'laneWidth'>;
  /** A slice is written staged and accepted at the end, or claimable at once. */
  staged: boolean;
  /** The last slice, of most intakes the only one, is written when the intake is accepted, and is never staged. */
  lastWithAccept?: boolean;
  /** Takes the source's warnings. */
  warnings: Warnings;
  /** Looks whether there is space for another slice. @throws AppError NO_SPACE */
  assertSpace(): Promise<void>;
  /** Runs `write` with a connection and the first free position of `count` new items. May do so several times for the same items. */
  reserve(count: number, write: (connection: Connection, firstSeq: number) => Promise<void>): Promise<void>;
}

/**
 * Packs items into chunks on their way into the database; holds one slice at a time. A staged intake becomes visible with
 * {@link accept} in one statement, or is taken back with {@link discard}: nothing is ever half there.
 */
export class Intake {
  private readonly report: IntakeReport = { added: 0, skipped: 0, problems: [] };
  private texts: string[] = [];
  private keys: (string | undefined)[] = [];
  private characters = 0;

  constructor(
    private readonly target: IntakeTarget,
    private readonly id: string,
  ) {}

  /** @param onInvalid refuse: the first hundred problems are thrown together; skip: they are reported and the rest goes on */
  async take(source: ItemSource, onInvalid: 'refuse' | 'skip'): Promise<IntakeReport> {
    for await (const slice of source) {
      for (const item of slice) {
        if ('problem' in item) this.note(item.line, item.problem);
        else if ('warning' in item) this.target.warnings.add(item.warning);
        else this.push(item.text, item.key);
      }
      if (this.isFull()) {
        await this.target.assertSpace();
        await this.flush();
      }
      if (onInvalid === 'refuse' && this.report.problems.length >= MAX_PROBLEMS) break;
    }
    if (onInvalid === 'refuse' && this.report.skipped > 0) throw refusal(this.report.problems);
    if (!this.target.lastWithAccept) await this.flush();
    return { ...this.report, added: this.report.added + this.texts.length };
  }

  /** Items that are written. */
  get added(): number {
    return this.report.added;
  }

  /** In a transaction, which may have to be begun anew: what was held is written again then. */
  async accept(connection: Connection): Promise<void> {
    if (this.report.added > 0) await acceptIntake(connection, this.id);
    await this.writeSlice(connection);
  }

  discard(connection: Connection): Promise<void> {
    return discardIntake(connection, this.id);
  }

  private note(line: number, message: string): void {
    this.report.skipped += 1;
    if (this.report.problems.length < MAX_PROBLEMS) this.report.problems.push({ line, message });
  }

  private push(text: string, key: string | undefined): void {
    this.texts.push(text);
    this.keys.push(key);
    this.characters += text.length;
  }

  private isFull(): boolean {
    return this.texts.length >= SLICE_ITEMS || this.characters >= SLICE_CHARACTERS;
  }

  private async flush(): Promise<void> {
    await this.writeSlice();
    this.report.added += this.texts.length;
    this.texts = [];
    this.keys = [];
    this.characters = 0;
  }

  /** @param within the transaction that accepts the intake */
  private async writeSlice(within?: Connection): Promise<void> {
    const { texts, keys } = this;
    if (texts.length === 0) return;
    const { runId, options } = this.target;
    const staged = this.target.staged && !within;
    // Few items of a batch with many lanes are spread over all of them.
    const chunkSize = Math.min(options.batchSize, Math.ceil(texts.length / laneWidths(options).length));
    await this.target.reserve(texts.length, async (connection, firstSeq) => {
      const state = staged ? CHUNK_STATE.staged : CHUNK_STATE.pending;
      await insertChunks(
        within ?? connection,
        { runId, state, intake: staged ? this.id : null },
        packChunks({ texts, keys }, chunkSize, (index) => firstSeq + index),
      );
    });
  }
}

/**
 * @param keys those that the items were given; left out for a run that repeats items: nobody looks for a key there
 * @param seqOf the position of each item
 */
export function packChunks(
  { texts, keys }: { texts: string[]; keys?: (string | undefined)[] },
  chunkSize: number,
  seqOf: (index: number) => number,
): PackedChunk[] {
  const chunks: PackedChunk[] = [];
  let from = 0;
  while (from < texts.length) {
    let to = from;
    let characters = 0;
    while (to < texts.length && to - from < chunkSize && characters < CHUNK_CHARACTERS) characters += texts[to++]!.length;
    const items = `[${texts.slice(from, to).join(',')}]`;
    chunks.push({ firstSeq: seqOf(from), size: to - from, items, keys: keys ? summaryOf(keys.slice(from, to)) : null });
    from = to;
  }
  return chunks;
}

function refusal(problems: LineProblem[]): AppError {
  const errors = problems.map(({ line, message }): FieldError => {
    return { path: `items.${line - 1}`, message: `line ${line}: ${message}`, code: 'custom' };
  });
  const mentions = problems.map(({ line }) => [`line ${line}`]);
  const first = errors.slice(0, 3).map(({ message }) => message);
  const more = errors.length > first.length ? `, and ${errors.length - first.length} more` : '';
  return new AppError('INVALID_INPUT', `nothing was added: ${first.join('; ')}${more}. Mend these lines, or send onInvalid=skip`, {
    details: { errors, mentions },
  });
}
