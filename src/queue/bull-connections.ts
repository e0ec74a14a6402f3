import type { Redis } from 'ioredis';
import { connectRedis, disconnectRedis } from './redis.js';
import type { RedisWatchdog } from './redis-watchdog.js';

/** The connections that Bull has asked for. It closes only those that it makes by itself. */
export class BullConnections {
  private readonly opened: Redis[] = [];

  constructor(
    private readonly url: string,
    private readonly watchdog: RedisWatchdog,
  ) {}

  open(type: 'client' | 'subscriber' | 'bclient'): Redis {
    const connection = connectRedis(this.url, type);
    this.opened.push(connection);
    this.watchdog.watch(connection);
    return connection;
  }

  close(): void {
    for (const connection of this.opened) {
      // Bull's setWorkerName waits for a connection to be ready or to end, and of an end it rejects where nobody catches it.
      connection.removeAllListeners('end');
      disconnectRedis(connection);
    }
  }
}
