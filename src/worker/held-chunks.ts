import type { ClaimedChunk } from '../batches/store/claim-chunks.js';
import type { DeferredItem, MovedChunk, RecordedOutcome } from '../batches/store/record-outcomes.js';
import { HeldChunk } from './held-chunk.js';

/** Results of a chunk that is not complete are recorded after this long, so that slow items show at least four times a second. */
const FLUSH_MS = 200;
/** One flush carries at most about so many characters of outputs: PostgreSQL takes 256 MB in one JSON value. */
const FLUSH_CHARACTERS = 32_000_000;

/** What a flush takes along. */
export interface Gathered {
  outcomes: RecordedOutcome[];
  deferred: DeferredItem[];
  moved: MovedChunk[];
  /** Nothing was left for another flush: the lane can be given back. */
  release: boolean;
}

/** The chunks that a lane holds, in the order in which they are worked. */
export class HeldChunks {
  private chunks: HeldChunk[] = [];

  [Symbol.iterator](): Iterator<HeldChunk> {
    return this.chunks.values();
  }

  get waitingCount(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.waitingCount, 0);
  }

  get hasResultsDue(): boolean {
    return this.due(false).length > 0;
  }

  firstCautious(): HeldChunk | undefined {
    return this.chunks.find((chunk) => chunk.cautious && chunk.waitingCount > 0);
  }

  /** @param gate items from this position on are not worked, and go back with the lane */
  add(claimed: ClaimedChunk[], gate: number | null): void {
    this.chunks.push(...claimed.map((chunk) => new HeldChunk(chunk, gate)));
  }

  /** Takes results out for a flush. @param giveBack what is left of the chunks goes back with the lane, if all results go out */
  gather(all: boolean, giveBack: boolean): Gathered {
    const due = this.due(all);
    const results = due.flatMap((chunk) => chunk.takeResults(FLUSH_CHARACTERS / due.length));
    const release = giveBack && due.every((chunk) => !chunk.hasResults);
    const outcomes: RecordedOutcome[] = [];
    const deferred: DeferredItem[] = [];
    for (const result of results) {
      if ('outcome' in result) outcomes.push(result.outcome);
      else deferred.push(result.deferred);
    }
    return { outcomes, deferred, moved: due.map((chunk) => chunk.moved(release)), release };
  }

  dropComplete(): void {
    this.chunks = this.chunks.filter((chunk) => !chunk.isComplete || chunk.hasResults);
  }

  /** Complete chunks go out at once, others when their results are old enough. */
  private due(all: boolean): HeldChunk[] {
    const now = performance.now();
    return this.chunks.filter((chunk) => all || chunk.isComplete || chunk.bufferedFor(now) >= FLUSH_MS);
  }
}
