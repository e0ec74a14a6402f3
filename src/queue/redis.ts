import type { Socket } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';

/**
 * What every connection needs: without `disableClientInfo` ioredis 5 may stay "ready" for ever on a connection that died
 * in its handshake (redis/ioredis#2099), and only a socket timeout notices a connection that was cut without a word. It must be
 * longer than Bull's blocking read of 5 seconds.
 */
const STURDY: RedisOptions = {
  disableClientInfo: true,
  socketTimeout: 15_000,
  keepAlive: 10_000,
  disconnectTimeout: 100,
};

/** All answers of a connection may say it, and a new connection for each would be a storm. */
const LEAVE_REPLICA_MS = 5_000;

/** A blocked or subscribed connection waits for ever for Redis to return. */
const PATIENT: RedisOptions = { ...STURDY, maxRetriesPerRequest: null, enableReadyCheck: false };

/** Others fail at once while Redis is away: nobody may wait for a bell. */
const IMPATIENT: RedisOptions = { ...STURDY, maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: 2_000 };

/** One question, once. */
const PROBE: RedisOptions = { ...IMPATIENT, lazyConnect: true, connectTimeout: 2_000, retryStrategy: () => null };

const OPTIONS = { client: IMPATIENT, subscriber: PATIENT, bclient: PATIENT, probe: PROBE };

export type RedisRole = keyof typeof OPTIONS;

/** For Bull's `createClient`, for the event channel, and for a look at whether Redis is there. */
export function connectRedis(url: string, role: RedisRole): Redis {
  const redis = new Redis(url, { ...OPTIONS[role], reconnectOnError: leaveReplica() });
  // Without a listener ioredis prints every lost connection; Bull and the channel report what matters.
  redis.on('error', () => undefined);
  return redis;
}

/** Of a connection whose server has become a replica: behind the same name there is a master by now, or will be soon. */
function leaveReplica(): (error: Error) => boolean {
  let leftAt = -Infinity;
  return ({ message }) => {
    if (!message.includes('READONLY') || performance.now() - leftAt < LEAVE_REPLICA_MS) return false;
    leftAt = performance.now();
    return true;
  };
}

/** Lets go of a connection at once, for ever. */
export function disconnectRedis(redis: Redis): void {
  redis.disconnect();
  forgetSocketTimeout(redis);
}

/** Makes a connection anew; what waits for an answer is asked again. Not `disconnect(true)`: that waits for the other side to hang up. */
export function reconnectRedis(redis: Redis): void {
  (redis as unknown as { stream?: Socket }).stream?.destroy(new Error('Redis did not answer'));
  forgetSocketTimeout(redis);
}

/** ioredis keeps the timer of a command that was under way: it would cut the next connection, or hold the process. */
function forgetSocketTimeout(redis: Redis): void {
  const timed = redis as unknown as { socketTimeoutTimer?: NodeJS.Timeout };
  clearTimeout(timed.socketTimeoutTimer);
  timed.socketTimeoutTimer = undefined;
}
