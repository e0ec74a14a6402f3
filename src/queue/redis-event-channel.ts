import { randomUUID } from 'node:crypto';
import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { EventChannel, type Topic } from './event-channel.js';
import { QuietWarning } from './quiet-warning.js';
import { connectRedis, disconnectRedis } from './redis.js';
import type { RedisWatchdog } from './redis-watchdog.js';

const CHANNEL = 'batchwise:events';

interface Envelope {
  from: string;
  topic: Topic;
  messages: object[];
}

/** Redis publish/subscribe. The own process is served directly, so that it hears its own news also without Redis. */
export class RedisEventChannel extends EventChannel implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(RedisEventChannel.name);
  private readonly untold = new QuietWarning(this.logger, 'other processes were not told; their clients find it in the event log');
  private readonly self = randomUUID();
  private readonly publisher: Redis;
  private readonly subscriber: Redis;

  constructor(url: string, watchdog: RedisWatchdog) {
    super();
    this.publisher = connectRedis(url, 'client');
    this.subscriber = connectRedis(url, 'subscriber');
    watchdog.watch(this.publisher);
    watchdog.watch(this.subscriber);
  }

  onModuleInit(): void {
    this.subscriber.on('message', (_channel: string, text: string) => this.hear(text));
    this.subscriber.subscribe(CHANNEL).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'no subscription to events of other processes');
    });
  }

  async publish(topic: Topic, messages: object[]): Promise<void> {
    this.deliver(topic, messages);
    try {
      await this.publisher.publish(CHANNEL, JSON.stringify({ from: this.self, topic, messages } satisfies Envelope));
    } catch (error) {
      this.untold.warn(error);
    }
  }

  onApplicationShutdown(): void {
    disconnectRedis(this.publisher);
    disconnectRedis(this.subscriber);
  }

  private hear(text: string): void {
    try {
      const { from, topic, messages } = JSON.parse(text) as Envelope;
      if (from !== this.self) this.deliver(topic, messages);
    } catch (error) {
      this.logger.warn({ err: error }, `something on ${CHANNEL} was not an event of this service`);
    }
  }
}
