import { Redis, type RedisOptions } from 'ioredis';

/**
 * What every connection needs: without `disableClientInfo` ioredis 5 may stay "ready" for ever on a connection that died
 * in its handshake (redis/ioredis#2099), and only a socket timeout notices a connection that was cut without a word. It must be
 * longer than Bull's blocking read of 5 seconds.
 */
const STURDY: RedisOptions = { disableClientInfo: true, socketTimeout: 15_000, keepAlive: 10_000, disconnectTimeout: 100 };

/** A blocked or subscribed connection waits for ever for Redis to return. */
const PATIENT: RedisOptions = { ...STURDY, maxRetriesPerRequest: null, enableReadyCheck: false };

/** Others fail at once while Redis is away: nobody may wait for a bell. */
const IMPATIENT: RedisOptions = { ...STURDY, maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 2_000 };

/** For Bull's `createClient`, and for the event channel. */
export function connectRedis(url: string, type: 'client' | 'subscriber' | 'bclient'): Redis {
  const redis = new Redis(url, type === 'client' ? IMPATIENT : PATIENT);
  // Without a listener ioredis prints every lost connection; Bull and the channel report what matters.
  redis.on('error', () => undefined);
  return redis;
}

/** Lets go of a connection at once. ioredis forgets the timer of a command that is under way: it would hold the process for `socketTimeout`. */
export function disconnectRedis(redis: Redis): void {
  redis.disconnect();
  clearTimeout((redis as unknown as { socketTimeoutTimer?: NodeJS.Timeout }).socketTimeoutTimer);
}
