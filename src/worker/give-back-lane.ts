import { Logger } from '@nestjs/common';
import type { LaneFence } from '../batches/store/record-outcomes.js';
import { surrenderLane } from '../batches/store/surrender-lane.js';
import type { Database } from '../database/sql.js';

const TRY_AGAIN_MS = 500;
const logger = new Logger('LaneWorker');

/**
 * Gives a lane back of which nobody knows what the database has. Tries until the database answers, or until the lease has ended by
 * itself.
 */
export async function giveBackLane(
  database: Database,
  fence: LaneFence,
  until: { withinMs: number; mayWait: () => boolean },
): Promise<void> {
  const end = performance.now() + until.withinMs;
  while (performance.now() < end && until.mayWait()) {
    try {
      return await surrenderLane(database, fence);
    } catch {
      logger.warn({ runId: fence.runId }, 'the database does not answer; trying again to give a lane back');
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}
