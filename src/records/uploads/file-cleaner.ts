import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '../../database/sql.js';
import { FileStore } from '../file-store.js';
import { findOrphanedFiles } from '../store/find-orphaned-files.js';
import { forgetUploads } from '../store/spend-upload.js';

const INTERVAL_MS = 3_600_000;

/** Removes what nobody needs any more, at the start and every hour: files whose batch is gone, and halves of files. */
@Injectable()
export class FileCleaner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(FileCleaner.name);
  private timer?: NodeJS.Timeout;
  private cleaning = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly files: FileStore,
  ) {}

  onApplicationBootstrap(): void {
    const clean = (): void => void (this.cleaning = this.tryToClean());
    clean();
    this.timer = setInterval(clean, INTERVAL_MS).unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.cleaning;
  }

  /** @returns how many files were removed */
  async clean(): Promise<number> {
    let removed = 0;
    for (;;) {
      const ids = await findOrphanedFiles(this.database.pool);
      if (ids.length === 0) break;
      await this.files.remove(ids);
      removed += ids.length;
    }
    await forgetUploads(this.database.pool);
    await this.files.removeAbandoned();
    return removed;
  }

  private async tryToClean(): Promise<void> {
    try {
      const removed = await this.clean();
      if (removed > 0) this.logger.log({ removed }, 'removed files whose batches are gone');
    } catch (error) {
      this.logger.warn({ err: error }, 'files whose batches are gone were not removed; tried again in an hour');
    }
  }
}
