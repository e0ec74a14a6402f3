import { Injectable } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { BATCH_EVENTS, type BatchEvent } from '../batches/events/batch.events.js';
import { BatchFeed } from './batch-feed.js';

/** The open subscriptions to batches in this process. */
@Injectable()
@EventsHandler(...BATCH_EVENTS)
export class BatchFeeds implements IEventHandler<BatchEvent> {
  private readonly feeds = new Map<string, Set<BatchFeed>>();
  private closed = false;

  handle({ record }: BatchEvent): void {
    for (const feed of this.feeds.get(record.batchId) ?? []) feed.hear(record);
  }

  /** Hears from now on; close it in the end. */
  open(batchId: string): BatchFeed {
    const feed = new BatchFeed((closing) => this.forget(batchId, closing));
    const others = this.feeds.get(batchId) ?? new Set();
    this.feeds.set(batchId, others.add(feed));
    if (this.closed) feed.end();
    return feed;
  }

  /** Ends all of them, and those that come after. */
  close(): void {
    this.closed = true;
    for (const feeds of this.feeds.values()) for (const feed of feeds) feed.end();
  }

  get size(): number {
    return [...this.feeds.values()].reduce((sum, feeds) => sum + feeds.size, 0);
  }

  private forget(batchId: string, feed: BatchFeed): void {
    const feeds = this.feeds.get(batchId);
    feeds?.delete(feed);
    if (feeds?.size === 0) this.feeds.delete(batchId);
  }
}
