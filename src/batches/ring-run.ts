import type { LaneQueue } from '../queue/lane-queue.js';
import type { BatchOptions } from './batch.options.js';
import { laneWidths, rankOf } from './dialects.js';

/**
 * Tells workers of a run that has work: one bell for each lane. The first one goes before those of runs that have been worked.
 * @param items that there are at the most: more lanes than that find nothing
 */
export async function ringRun(
  queue: LaneQueue,
  run: { tenant: string; run_id: string; options: BatchOptions },
  items = Infinity,
): Promise<void> {
  const bell = { runId: run.run_id, rank: rankOf(run.options), tenant: run.tenant, express: false };
  const lanes = Math.min(items, laneWidths(run.options).length);
  await queue.ring({ ...bell, express: true }, 1);
  if (lanes > 1) await queue.ring(bell, lanes - 1);
}
