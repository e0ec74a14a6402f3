import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { findDueRollbacks } from '../batches/store/demand-rollback.js';
import { Database } from '../database/sql.js';
import { ItemHandlerRegistry } from '../operations/item-handler.registry.js';
import { rollBackBatch } from '../records/roll-back-batch.js';
import { Compensator } from './compensator.js';

/** Batches that one process rolls back side by side. */
const MAX_AT_ONCE = 4;

/** Takes back what batches did that failed: compensations first, then records. One that cannot be taken back does not keep the others from it. */
@Injectable()
export class Rollbacks implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Rollbacks.name);
  private readonly working = new Map<string, Promise<void>>();
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly compensator: Compensator,
    private readonly registry: ItemHandlerRegistry,
  ) {}

  /** Begins with those that are due, as far as there is room; not waited for: one may take minutes. */
  async begin(): Promise<void> {
    const limit = MAX_AT_ONCE - this.working.size;
    if (limit === 0) return;
    const search = { operations: this.registry.operations, except: [...this.working.keys()], limit };
    for (const batchId of await findDueRollbacks(this.database.pool, search)) {
      if (this.stopped) return;
      this.working.set(
        batchId,
        this.rollBack(batchId).finally(() => this.working.delete(batchId)),
      );
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.working.values());
  }

  private async rollBack(batchId: string): Promise<void> {
    try {
      await this.compensator.compensate(batchId);
      await rollBackBatch(this.database, batchId, () => !this.stopped);
    } catch (error) {
      this.logger.error({ err: error, batchId }, 'a batch could not be rolled back; the next sweep tries again');
    }
  }
}
