import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { AppError } from '../common/app-error.js';
import { freeBytes } from '../common/disk-bytes.js';
import { Config } from '../config.js';
import { CLUSTER_NAME } from './embedded-cluster.js';
import { hasSpace } from './has-space.js';
import { Database, onNoSpace, run, type Statement } from './sql.js';

/** A worker at full speed writes 50 MB in this time. */
const LOOK_MS = 1_000;
/** How often a database elsewhere is asked whether it takes writes again, and what workers say of it. */
const ASK_MS = 5_000;
const RETRY_MS = 30_000;
/** What must be free to go on, as a share of what must be free not to stop: else the first items after a stop would be the last. */
const TO_GO_ON = 1.1;
const MB = 1_048_576;

/** What is written on a disk: what the database holds, or stored files. */
export type DiskUse = 'database' | 'files';

/** Too little space: a sentence for clients, and how much is missing, unless only the database's server knows. */
export interface Shortage {
  message: string;
  missingMb?: number;
}

const TOLD_BY_WORKERS: Statement = {
  name: 'select-no-space',
  text: `SELECT max(no_space) AS message FROM worker WHERE seen_at > clock_timestamp() - interval '10 seconds'`,
};

/**
 * Watches the disks of DATA_DIR, and whether the database finds space. Below the reserve (MIN_FREE_MB) nothing new is taken in and no work
 * is begun, so that what runs can still be recorded, and people can still read, cancel and delete.
 */
@Injectable()
export class FreeSpace implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('FreeSpace');
  private readonly shortages = new Map<DiskUse, Shortage>();
  private readonly folders: Record<DiskUse, string[]>;
  private readonly forget: () => void;
  private timers: NodeJS.Timeout[] = [];
  private looking?: Promise<void>;
  /** A statement found no space, and none has found some since. */
  private refused = false;
  /** Of the database, by workers. */
  private told?: Shortage;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
  ) {
    const { dataDir, databaseUrl } = config;
    const cluster = join(dataDir, CLUSTER_NAME);
    // People move the log to a disk of its own.
    this.folders = { files: [join(dataDir, 'files')], database: databaseUrl === undefined ? [cluster, join(cluster, 'pg_wal')] : [] };
    this.forget = onNoSpace(() => this.noticeRefusal());
  }

  async onModuleInit(): Promise<void> {
    await this.look();
    this.timers = [setInterval(() => void this.look(), LOOK_MS).unref(), setInterval(() => void this.ask(), ASK_MS).unref()];
  }

  onApplicationShutdown(): void {
    this.forget();
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Undefined while there is enough. */
  shortage(use: DiskUse): Shortage | undefined {
    return this.observed(use) ?? (use === 'database' ? this.told : undefined);
  }

  /** What this process has seen itself: were it what others tell, two of them would tell each other for ever. */
  observed(use: DiskUse): Shortage | undefined {
    return this.shortages.get(use);
  }

  /** Looks anew, for whoever is about to write much. @throws AppError NO_SPACE that says where and how much is missing */
  async assertSpace(...uses: DiskUse[]): Promise<void> {
    await this.look();
    for (const use of uses) {
      const shortage = this.shortage(use);
      if (shortage) throw new AppError('NO_SPACE', shortage.message, { details: { retryAfterMs: RETRY_MS } });
    }
  }

  private look(): Promise<void> {
    return (this.looking ??= this.measure().finally(() => (this.looking = undefined)));
  }

  private async measure(): Promise<void> {
    const [files, database] = await Promise.all([this.freeOf('files'), this.freeOf('database')]);
    this.set('files', this.shortageAt('files', files));
    // Of a database elsewhere only its own words tell, and those go before what its disk seems to have.
    if (this.config.databaseUrl === undefined && !this.refused) this.set('database', this.shortageAt('database', database));
  }

  private async freeOf(use: DiskUse): Promise<number> {
    const { dataDir } = this.config;
    const free = this.folders[use].map((folder) => freeBytes(existsSync(folder) ? folder : dataDir).catch(() => Infinity));
    return Math.min(...(await Promise.all(free)));
  }

  private shortageAt(use: DiskUse, free: number): Shortage | undefined {
    const { minFreeMb } = this.config;
    const needed = minFreeMb * (this.shortages.has(use) ? TO_GO_ON : 1) * MB;
    if (free >= needed) return undefined;
    const missingMb = Math.ceil((minFreeMb * TO_GO_ON * MB - free) / MB);
    const what = use === 'files' ? 'where files are stored' : 'where the database lies';
    const message = `no space left in DATA_DIR, ${what}: ${Math.floor(free / MB)} MB are free, and ${minFreeMb} MB are kept back (MIN_FREE_MB); make room for ${missingMb} MB`;
    return { message, missingMb };
  }

  private set(use: DiskUse, shortage: Shortage | undefined): void {
    const before = this.shortages.get(use);
    if (shortage) this.shortages.set(use, shortage);
    else this.shortages.delete(use);
    if (shortage && !before) this.logger.error(`${shortage.message}; nothing new is taken in until then`);
    if (before && !shortage) this.logger.log(`there is space again for ${use}: work goes on`);
  }

  private noticeRefusal(): void {
    this.refused = true;
    this.set('database', { message: "no space left on the database's disk; somebody has to make room there" });
  }

  private async ask(): Promise<void> {
    try {
      if (this.refused) {
        if (!(await hasSpace(this.database.pool))) return;
        this.refused = false;
        this.set('database', undefined);
      }
      if (this.config.databaseUrl !== undefined) await this.hearWorkers();
    } catch (error) {
      // It is asked again.
      this.logger.debug({ err: error }, 'the database could not be asked for its space');
    }
  }

  private async hearWorkers(): Promise<void> {
    const [told] = await run<{ message: string | null }>(this.database.heartbeats, TOLD_BY_WORKERS, []);
    this.told = told?.message ? { message: told.message } : undefined;
  }
}
