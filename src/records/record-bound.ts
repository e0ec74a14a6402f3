import { Injectable } from '@nestjs/common';
import { AppError } from '../common/app-error.js';
import { Config } from '../config.js';
import { type Connection, Database } from '../database/sql.js';
import { measureRecords } from './store/record-totals.js';

/** Holds the bytes of all records of a tenant to TENANT_RECORDS_BYTES. */
@Injectable()
export class RecordBound {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
  ) {}

  /**
   * Writes records. With a bound the write is a transaction, which is measured when it is done: what makes records smaller always passes.
   * @throws AppError TOO_LARGE when the tenant would have more; then nothing is written
   */
  async within<T>(tenant: string, write: (connection: Connection) => Promise<T>): Promise<T> {
    const bound = this.config.tenantRecordsBytes;
    if (bound === 0) return write(this.database.pool);
    return this.database.transaction(async (connection) => {
      const written = await write(connection);
      const { bytes, grown } = await measureRecords(connection, tenant);
      if (grown > 0 && bytes > bound) throw tooMany(bound);
      return written;
    });
  }
}

function tooMany(bound: number): AppError {
  return new AppError('TOO_LARGE', `there would be more than ${bound} bytes of records (TENANT_RECORDS_BYTES); delete some first`);
}
