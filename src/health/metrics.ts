import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { collectDefaultMetrics, Counter, Registry } from 'prom-client';
import { BATCH_EVENTS, type BatchEvent } from '../batches/events/batch.events.js';

/** This process's figures for Prometheus: memory, CPU, event loop, garbage collection, and the batch events it heard. */
@Injectable()
export class Metrics implements OnModuleDestroy {
  readonly registry = new Registry();
  private readonly events = new Counter({
    name: 'batchwise_batch_events_total',
    help: 'Batch events this process heard, by type. Every process hears every event: take one process, or the maximum, not the sum.',
    labelNames: ['type'],
    registers: [this.registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  count({ record }: BatchEvent): void {
    this.events.inc({ type: record.type });
  }

  onModuleDestroy(): void {
    this.registry.clear();
  }
}

@EventsHandler(...BATCH_EVENTS)
export class CountBatchEventsListener implements IEventHandler<BatchEvent> {
  constructor(private readonly metrics: Metrics) {}

  handle(event: BatchEvent): void {
    this.metrics.count(event);
  }
}
