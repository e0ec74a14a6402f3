import { InjectQueue } from '@nestjs/bull';
import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Job, Queue } from 'bull';
import { BullConnections } from './bull-connections.js';
import { type Bell, type BellHandler, LaneQueue } from './lane-queue.js';
import { QuietWarning } from './quiet-warning.js';

export const LANES = 'lanes';
export const EXPRESS_LANES = 'express-lanes';

/** A worker of another release leaves bells alone whose shape it does not know; the sweeper serves their runs. */
const PAYLOAD_VERSION = 2;
/** A bell that Redis does not take in this time is dropped: the sweeper finds the run. */
const RING_TIMEOUT_MS = 2_000;
/** Bull waits for what it cannot have while Redis is away. */
const CLOSE_TIMEOUT_MS = 1_000;

type BellJob = Bell & { v: number };

/**
 * Bells as Bull jobs. Of Bull's features only priority is used (bells are few, so its linear insert does not matter): what
 * must not be lost when Redis is wiped is in PostgreSQL.
 */
export class BullLaneQueue extends LaneQueue implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(BullLaneQueue.name);
  private readonly noRing = new QuietWarning(this.logger, 'Redis did not take a bell; the sweeper serves the run');
  private readonly noConnection = new QuietWarning(this.logger, 'no connection to Redis; work goes on by sweeping');

  constructor(
    @InjectQueue(LANES) private readonly common: Queue<BellJob>,
    @InjectQueue(EXPRESS_LANES) private readonly express: Queue<BellJob>,
    private readonly connections: BullConnections,
  ) {
    super();
    for (const queue of [common, express]) {
      // @nestjs/bull closes its queues too, and would wait without a limit.
      Object.assign(queue, { onApplicationShutdown: undefined });
      queue.on('error', (error) => this.noConnection.warn(error));
      queue.on('failed', (_job, error) => this.logger.warn({ err: error }, 'a bell was lost with its worker; the sweeper serves the run'));
    }
  }

  /** Waits a moment for the first connection, so that the first bells are heard; without Redis the service starts all the same. */
  async onModuleInit(): Promise<void> {
    try {
      await withinTime(Promise.all([this.common.isReady(), this.express.isReady()]));
    } catch (error) {
      this.noConnection.warn(error);
    }
  }

  async ring(bell: Bell, count: number): Promise<void> {
    const job = { data: { ...bell, v: PAYLOAD_VERSION }, opts: { priority: bell.rank } };
    try {
      await withinTime((bell.express ? this.express : this.common).addBulk(Array.from({ length: count }, () => job)));
    } catch (error) {
      this.noRing.warn(error);
    }
  }

  /** Bull connects in its own time, also after Redis was away. */
  listen(handler: BellHandler, concurrency: { common: number; express: number }): Promise<void> {
    const process = async ({ data: { v, ...bell } }: Job<BellJob>) => {
      if (v === PAYLOAD_VERSION) await handler(bell);
    };
    const stopped = (error: unknown) => this.logger.warn({ err: error }, 'Bull stopped listening; the sweeper goes on');
    this.common.process(concurrency.common, process).catch(stopped);
    this.express.process(concurrency.express, process).catch(stopped);
    return Promise.resolve();
  }

  async mute(): Promise<void> {
    try {
      await withinTime(Promise.all([this.common.pause(true, true), this.express.pause(true, true)]));
    } catch (error) {
      this.logger.warn({ err: error }, 'Bull could not be paused; bells that still arrive are dropped');
    }
  }

  async onApplicationShutdown(): Promise<void> {
    try {
      await withinTime(Promise.all([this.common.close(), this.express.close()]), CLOSE_TIMEOUT_MS);
    } catch (error) {
      this.logger.warn({ err: error }, 'Bull did not close; its connections are cut');
    }
    this.connections.close();
  }

  async isHealthy(): Promise<boolean> {
    try {
      await withinTime(this.common.client.ping());
      return true;
    } catch {
      return false;
    }
  }
}

function withinTime<T>(work: Promise<T>, ms = RING_TIMEOUT_MS): Promise<T> {
  let timer: NodeJS.Timeout;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}
