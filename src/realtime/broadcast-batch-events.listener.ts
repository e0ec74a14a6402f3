import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { BATCH_EVENTS, type BatchEvent } from '../batches/events/batch.events.js';
import { toErpMessages } from '../dialects/erp/erp-messages.js';
import { toBatchMessages } from './batch-messages.js';
import { BatchGateway } from './batch.gateway.js';
import { EventOrder } from './event-order.js';

/** Sends each event to this process's sockets: every process hears every event, so all sockets get it whatever server they are on. */
@EventsHandler(...BATCH_EVENTS)
export class BroadcastBatchEventsListener implements IEventHandler<BatchEvent> {
  private readonly order = new EventOrder();

  constructor(private readonly gateway: BatchGateway) {}

  handle({ record }: BatchEvent): void {
    if (this.order.isStale(record)) return;
    const droppable = record.type === 'batch.progress';
    for (const message of [...toErpMessages(record), ...toBatchMessages(record)]) this.gateway.send(record.tenant, message, droppable);
  }
}
