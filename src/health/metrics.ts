import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { BATCH_EVENTS, type BatchEvent } from '../batches/events/batch.events.js';
import { HangingCalls } from '../common/hanging-calls.js';
import { conflictsMet } from '../database/conflicts.js';

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

  constructor(hanging: HangingCalls) {
    collectDefaultMetrics({ register: this.registry });
    const registers = [this.registry];
    new Gauge({
      name: 'batchwise_hanging_calls',
      help: 'Calls of item handlers that go on although they were told to stop, by operation.',
      labelNames: ['operation'],
      registers,
      collect() {
        this.reset();
        for (const [operation, calls] of hanging.operations) this.set({ operation }, calls);
      },
    });
    new Counter({
      name: 'batchwise_database_conflicts_total',
      help: 'Transactions that PostgreSQL gave up in favour of others and that were begun anew, by kind: deadlocks, others.',
      labelNames: ['kind'],
      registers,
      collect() {
        this.reset();
        for (const [kind, count] of Object.entries(conflictsMet())) this.inc({ kind }, count);
      },
    });
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
