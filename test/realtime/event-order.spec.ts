import type { BatchEventRecord, BatchEventType } from '../../src/batches/events/batch.events.js';
import { EventOrder } from '../../src/realtime/event-order.js';

const event = (seq: number, type: BatchEventType = 'batch.progress', batchId = 'a') => ({ batchId, seq, type }) as BatchEventRecord;

describe('events that overtake each other on the way', () => {
  it('leave out progress that is older than what was sent', () => {
    const order = new EventOrder();

    const stale = [event(1), event(3), event(2), event(3), event(4)].map((record) => order.isStale(record));

    expect(stale).toEqual([false, false, true, true, false]);
  });

  it('leave out progress after the end, but never the end itself', () => {
    const order = new EventOrder();

    expect(order.isStale(event(9))).toBe(false);
    expect(order.isStale(event(8, 'batch.completed'))).toBe(false);
    expect(order.isStale(event(7))).toBe(true);
  });

  it('are told apart by batch', () => {
    const order = new EventOrder();
    order.isStale(event(9));

    expect(order.isStale(event(1, 'batch.progress', 'b'))).toBe(false);
  });

  it('forget the batches that were longest unheard of', () => {
    const order = new EventOrder();
    order.isStale(event(5, 'batch.progress', 'old'));
    for (let n = 0; n < 10_000; n += 1) order.isStale(event(1, 'batch.progress', `b${n}`));

    expect(order.isStale(event(1, 'batch.progress', 'old'))).toBe(false);
  });
});
