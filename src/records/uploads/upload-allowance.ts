import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/app-error.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import { msUntilUpload, spendUpload, type Uploader, type UploadLimits, type UploadWait } from '../store/spend-upload.js';

/**
 * How many uploads a user, and a credential for all the users that it names, may have accepted within any hour: counted in the database,
 * for all processes and over restarts.
 */
@Injectable()
export class UploadAllowance {
  private readonly limits: UploadLimits;

  constructor(
    config: Config,
    private readonly database: Database,
  ) {
    this.limits = { perUser: config.uploadsPerHour, perCredential: config.uploadsPerHourPerKey };
  }

  /** @throws AppError RATE_LIMITED, which says when the next one is allowed */
  async assertLeft(uploader: Uploader): Promise<void> {
    this.assertNow(await msUntilUpload(this.database.pool, uploader, this.limits));
  }

  /** Counts one. @throws AppError RATE_LIMITED when there is none left; then nothing is counted */
  async spend(uploadId: string, uploader: Uploader): Promise<void> {
    this.assertNow(await this.database.transaction((connection) => spendUpload(connection, uploadId, uploader, this.limits)));
  }

  private assertNow({ ms, limit }: UploadWait): void {
    if (ms === 0) return;
    const whose = limit === 'perUser' ? '' : ' to one API key or address for all users together (UPLOADS_PER_HOUR_PER_KEY)';
    const message = `${this.limits[limit]} uploads an hour are allowed${whose}; send the next one in ${Math.ceil(ms / 60_000)} min`;
    throw new AppError('RATE_LIMITED', message, { details: { retryAfterMs: ms } });
  }
}
