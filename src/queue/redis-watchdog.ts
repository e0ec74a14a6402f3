import type { Socket } from 'node:net';
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { ProcessRecycler } from '../common/process-recycler.js';
import { connectRedis, disconnectRedis, reconnectRedis } from './redis.js';

const PING_MS = 3_000;
/** Looks without a byte, after which the connection is made anew. Bull's blocking reads are answered every 5 seconds. */
const MISSES_BEFORE_RECONNECT = 3;
/** From here on it matters whether Redis answers others. */
const MISSES_BEFORE_ASKING = 6;
/** Times in a row that others were answered: a client that comes back by itself needs up to 2 seconds for it. */
const STRIKES = 3;

interface Watched {
  stream?: Socket;
  /** Received on it up to the last look. */
  bytes: number;
  pinging: boolean;
  misses: number;
  strikes: number;
}

/**
 * Pings every connection by a clock of its own. A subscriber waits in silence, so nothing else would notice that it is deaf: ioredis' own
 * time limit runs only while a command does. What counts is that anything is heard: on a worker's connection the ping stands in line
 * behind a blocking read for each lane. A client that stays deaf while Redis answers others cannot be helped from within: the process
 * is reported as due for a new one. While Redis itself is away nothing is done; work goes on by sweeping.
 */
export class RedisWatchdog implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RedisWatchdog.name);
  private readonly watched = new Map<Redis, Watched>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly url: string,
    private readonly recycler: ProcessRecycler,
    pingMs = PING_MS,
  ) {
    this.timer = setInterval(() => void this.look(), pingMs).unref();
  }

  watch(redis: Redis): void {
    this.watched.set(redis, { bytes: 0, pinging: false, misses: 0, strikes: 0 });
  }

  /** Says it once if this Redis throws keys away when it is full: bells would vanish without an error. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      const policy = await this.askAnew(async (redis) => /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1]);
      if (policy !== undefined && policy !== 'noeviction') {
        this.logger.warn(`Redis evicts keys when it is full (maxmemory-policy ${policy}) and loses bells; set it to noeviction`);
      }
    } catch {
      // Not there, or it does not tell: both are no reason not to start.
    }
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    for (const [redis, state] of this.watched) {
      if (redis.status === 'end') this.watched.delete(redis);
      else this.listen(redis, state);
    }
    const deaf = [...this.watched.values()].filter(({ misses }) => misses >= MISSES_BEFORE_ASKING);
    const others = deaf.length > 0 && (await this.answersOthers());
    for (const state of this.watched.values()) state.strikes = others && deaf.includes(state) ? state.strikes + 1 : 0;
    if (deaf.some(({ strikes }) => strikes >= STRIKES)) {
      this.recycler.report('redis', `${deaf.length} of this process's connections to Redis are deaf while Redis answers others`);
    } else this.recycler.withdraw('redis');
  }

  private listen(redis: Redis, state: Watched): void {
    const { stream } = redis as unknown as { stream?: Socket };
    const bytes = stream?.bytesRead ?? 0;
    const isHeard = bytes > (stream === state.stream ? state.bytes : 0);
    Object.assign(state, { stream, bytes, misses: isHeard ? 0 : state.misses + 1 });
    if (redis.status !== 'ready') return;
    const isDeaf = state.misses > 0 && state.misses % MISSES_BEFORE_RECONNECT === 0;
    if (isDeaf) reconnectRedis(redis);
    if (state.pinging && !isDeaf) return;
    state.pinging = true;
    const pinged = (): void => void (state.pinging = false);
    redis.ping().then(pinged, pinged);
  }

  private async answersOthers(): Promise<boolean> {
    try {
      await this.askAnew((redis) => redis.ping());
      return true;
    } catch (error) {
      return (error as Error).name === 'ReplyError';
    }
  }

  private async askAnew<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = connectRedis(this.url, 'probe');
    try {
      await redis.connect();
      return await question(redis);
    } finally {
      disconnectRedis(redis);
    }
  }
}
