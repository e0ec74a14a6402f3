import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { HangingCalls } from '../common/hanging-calls.js';
import { Config } from '../config.js';
import { FreeSpace } from '../database/free-space.js';
import { Database } from '../database/sql.js';
import { ItemHandlerRegistry } from '../operations/item-handler.registry.js';
import { reportWorker, signOffWorker } from '../waiting/store/workers.js';
import { LaneWorker } from './lane-worker.js';

const REPORT_MS = 2_000;
/** Tenants that one report names. */
const MAX_TENANTS = 100;

/** Says in the database, every two seconds, that this process lives and what it would work. */
@Injectable()
export class WorkerReports implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(WorkerReports.name);
  private readonly id = randomUUID();
  private timer?: NodeJS.Timeout;
  private reporting?: Promise<void>;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly registry: ItemHandlerRegistry,
    private readonly worker: LaneWorker,
    private readonly hanging: HangingCalls,
    private readonly space: FreeSpace,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.tick();
    this.timer = setInterval(() => this.tick(), REPORT_MS);
    await this.reporting;
  }

  /** It takes no more work, although it still ends what it has. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.reporting;
    await signOffWorker(this.database.heartbeats, this.id).catch((error: unknown) =>
      this.logger.warn({ err: error }, 'could not sign off'),
    );
  }

  /** A report that takes its time is not overtaken by the next. */
  private tick(): void {
    this.reporting ??= this.report().finally(() => (this.reporting = undefined));
  }

  private async report(): Promise<void> {
    const { operations } = this.registry;
    const free = new Set(this.worker.freeOperations);
    const report = {
      id: this.id,
      operations,
      full: operations.filter((operation) => !free.has(operation)),
      hanging: operations.filter((operation) => this.hanging.areTooManyOf(operation)),
      fullTenants: this.worker.fullTenants.slice(0, MAX_TENANTS),
      lanes: this.config.workerLanes,
      free: this.worker.freeLanes,
      noSpace: this.space.observed('database')?.message ?? null,
    };
    // The next one comes in a moment, and a batch asks for it only when somebody wants to know why it waits.
    await reportWorker(this.database.heartbeats, report).catch((error: unknown) => this.logger.debug({ err: error }, 'a report failed'));
  }
}
