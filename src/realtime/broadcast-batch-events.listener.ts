import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { BATCH_EVENTS, type BatchEvent } from '../batches/events/batch.events.js';
import { toErpMessages } from '../dialects/erp/erp-messages.js';
import { toBatchMessage, toNotification } from './batch-messages.js';
import { BatchGateway } from './batch.gateway.js';
import { DashboardStream } from './dashboard-stream.js';
import { EventOrder } from './event-order.js';

/** Sends each event to this process's sockets: every process hears every event, so all sockets get it whatever server they are on. */
@EventsHandler(...BATCH_EVENTS)
export class BroadcastBatchEventsListener implements IEventHandler<BatchEvent> {
  private readonly order = new EventOrder();

  constructor(
    private readonly gateway: BatchGateway,
    private readonly dashboards: DashboardStream,
  ) {}

  handle({ record }: BatchEvent): void {
    if (!this.order.isStale(record)) {
      const droppable = record.type === 'batch.progress';
      const messages = [...toErpMessages(record), { name: record.type, payload: toBatchMessage(record) }];
      for (const message of messages) this.gateway.send(record.tenant, message, droppable);
      this.dashboards.send(record);
    }
    // Overtaken progress is old news, but what it notifies of is told once, and here.
    const notification = toNotification(record);
    if (notification) this.gateway.send(record.tenant, { name: 'batch.notification', payload: notification }, false);
  }
}
