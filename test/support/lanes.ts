import { type ClaimedLane, claimLane as claim } from '../../src/batches/store/claim-lane.js';
import { OUTCOME_STATUS } from '../../src/batches/entities/outcome.entity.js';
import { type Flush, type Flushed, type LaneFence, type RecordedOutcome, recordOutcomes } from '../../src/batches/store/record-outcomes.js';
import { type HeldLane, renewLeases as renew } from '../../src/batches/store/renew-leases.js';
import { settleRun } from '../../src/batches/store/settle-run.js';
import type { BatchEventRecord } from '../../src/batches/events/batch.events.js';
import type { Connection, Database } from '../../src/database/sql.js';

/** The worker's steps at the store, for tests that are the worker themselves: without slots and without limits over batches. */

/** @param chunks to claim with it */
export async function claimLane(connection: Connection, runId: string, leaseMs: number, chunks = 0): Promise<ClaimedLane | undefined> {
  return (await claim(connection, { runId, leaseMs, slotted: [], room: 1_000, chunks })).lane;
}

/** @returns those of the lanes whose leases were renewed */
export async function renewLeases(connection: Connection, lanes: LaneFence[], leaseMs: number): Promise<HeldLane[]> {
  const held = await renew(
    connection,
    lanes.map((lane) => ({ ...lane, revision: 0 })),
    leaseMs,
  );
  return held.filter(({ renewed }) => renewed);
}

/** @returns the event that ends the run, when this call was the one that ended it */
export async function endRun(database: Database, runId: string): Promise<BatchEventRecord | undefined> {
  return (await settleRun(database, runId)).events.at(-1);
}

const NOTHING: Flush = {
  release: false,
  leaseMs: 3_600_000,
  counts: { succeeded: 0, failed: 0, skipped: 0 },
  tally: null,
  itemProgress: null,
  busy: null,
  outcomes: [],
  deferred: [],
  moved: [],
  claim: 0,
};

export function fenceOf({ run_id: runId, no, fence }: ClaimedLane): LaneFence {
  return { runId, no, fence };
}

/** A flush of these parts and nothing else. */
export function flushLane(connection: Connection, lane: LaneFence, parts: Partial<Flush> = {}): Promise<Flushed> {
  return recordOutcomes(connection, lane, { ...NOTHING, ...parts });
}

export function outcomeOf(seq: number, parts: Partial<RecordedOutcome> = {}): RecordedOutcome {
  const error = { errorKind: null, error: null, errorStack: null };
  const outcome = { seq, status: OUTCOME_STATUS.succeeded, attempts: 1, durationMs: 1, quality: null, key: String(seq + 1) };
  return { ...outcome, ...error, compensation: null, output: 'null', ...parts };
}
