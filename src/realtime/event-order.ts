import type { BatchEventRecord } from '../batches/events/batch.events.js';

/** Batches remembered; the longest unheard of are forgotten first. */
const MAX_BATCHES = 10_000;

/**
 * Events of one batch come from several processes and may overtake each other on the way. Progress that is older than what
 * was sent already would make a bar jump back, so it is left out; everything else is sent whenever it comes.
 */
export class EventOrder {
  private readonly newest = new Map<string, number>();

  isStale({ batchId, seq, type }: BatchEventRecord): boolean {
    const known = this.newest.get(batchId) ?? 0;
    // Deleted first, so that the map's order is that of the last use.
    this.newest.delete(batchId);
    this.newest.set(batchId, Math.max(known, seq));
    if (this.newest.size > MAX_BATCHES) this.newest.delete(this.newest.keys().next().value!);
    return type === 'batch.progress' && seq <= known;
  }
}
