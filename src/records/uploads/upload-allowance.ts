import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/app-error.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import { msUntilUpload, spendUpload, type Uploader } from '../store/spend-upload.js';

/** How many uploads a user may have accepted within any hour: counted in the database, for all processes and over restarts. */
@Injectable()
export class UploadAllowance {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
  ) {}

  /** @throws AppError RATE_LIMITED, which says when the next one is allowed */
  async assertLeft(uploader: Uploader): Promise<void> {
    this.assertNow(await msUntilUpload(this.database.pool, uploader, this.config.uploadsPerHour));
  }

  /** Counts one. @throws AppError RATE_LIMITED when there is none left; then nothing is counted */
  async spend(uploadId: string, uploader: Uploader): Promise<void> {
    const { uploadsPerHour } = this.config;
    this.assertNow(await this.database.transaction((connection) => spendUpload(connection, uploadId, uploader, uploadsPerHour)));
  }

  private assertNow(waitMs: number): void {
    if (waitMs === 0) return;
    const message = `${this.config.uploadsPerHour} uploads an hour are allowed; send the next one in ${Math.ceil(waitMs / 60_000)} min`;
    throw new AppError('RATE_LIMITED', message, { details: { retryAfterMs: waitMs } });
  }
}
