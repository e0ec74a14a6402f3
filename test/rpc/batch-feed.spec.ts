import type { BatchEventRecord } from '../../src/batches/events/batch.events.js';
import { BatchFeed } from '../../src/rpc/batch-feed.js';

const event = (seq: number) => ({ seq }) as BatchEventRecord;
const LONG_MS = 60_000;

describe('what a subscriber has heard', () => {
  it('comes in the order of its numbers, whatever order it was heard in', async () => {
    const feed = new BatchFeed(() => undefined);
    for (const seq of [3, 2, 1]) feed.hear(event(seq));
    expect([await feed.next(1, LONG_MS), await feed.next(2, LONG_MS), await feed.next(3, LONG_MS)]).toEqual([event(1), event(2), event(3)]);
  });

  it('is waited for', async () => {
    const feed = new BatchFeed(() => undefined);
    const waiting = feed.next(1, LONG_MS);
    feed.hear(event(1));
    expect(await waiting).toEqual(event(1));
  });

  it('leaves out what is known already', async () => {
    const feed = new BatchFeed(() => undefined);
    for (const seq of [1, 2, 3]) feed.hear(event(seq));
    expect(await feed.next(3, LONG_MS)).toEqual(event(3));
  });

  it('shows a gap at once, so that it can be filled from the log', async () => {
    const feed = new BatchFeed(() => undefined);
    feed.hear(event(5));
    expect(await feed.next(4, LONG_MS)).toBeUndefined();
    expect(await feed.next(5, LONG_MS)).toEqual(event(5));
  });

  it('is a bounded number of events, however slowly they are read', async () => {
    const feed = new BatchFeed(() => undefined);
    for (let seq = 1; seq <= 1_000; seq += 1) feed.hear(event(seq));
    expect(await feed.next(100, LONG_MS)).toEqual(event(100));
    expect(await feed.next(101, 0)).toBeUndefined();
  });

  it('is waited for no longer than asked, not after the end, and not by whoever went away', async () => {
    const feed = new BatchFeed(() => undefined);
    expect(await feed.next(1, 0)).toBeUndefined();
    const away = new AbortController();
    const waiting = feed.next(1, LONG_MS, away.signal);
    away.abort();
    expect(await waiting).toBeUndefined();
    expect(await feed.next(1, LONG_MS, away.signal)).toBeUndefined();
    feed.end();
    expect(await feed.next(1, LONG_MS)).toBeUndefined();
    expect(feed.ended).toBe(true);
  });
});
