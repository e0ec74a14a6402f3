import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventBus } from '@nestjs/cqrs';
import { EventChannel } from '../../queue/event-channel.js';
import { type BatchEventRecord, toBatchEvent } from './batch.events.js';

/** Tells every process of what was committed: on each one's EventBus, once. */
@Injectable()
export class BatchEventPublisher implements OnModuleInit {
  constructor(
    private readonly eventBus: EventBus,
    private readonly channel: EventChannel,
  ) {}

  onModuleInit(): void {
    this.channel.subscribe<BatchEventRecord>('batch-event', (record) => void this.eventBus.publish(toBatchEvent(record)));
  }

  async publish(records: (BatchEventRecord | undefined)[]): Promise<void> {
    const written = records.filter((record) => record !== undefined);
    if (written.length > 0) await this.channel.publish('batch-event', written);
  }

  /** Hurries the workers that hold the run's lanes; without it they see its new state at their next heartbeat. */
  async runChanged(runId: string): Promise<void> {
    await this.channel.publish('run-changed', [{ runId }]);
  }
}
