import { isTerminal } from '../batches/batch.state.js';
import { concurrencyLimitsOf, roomWithin } from '../batches/store/claim-within-limits.js';
import { type BatchRow, runningItems } from '../batches/store/select-batches.js';
import { rateBucketsOf, selectEmptyBuckets } from '../batches/store/take-tokens.js';
import { openBreakers } from '../breakers/store/open-breakers.js';
import type { Config } from '../config.js';
import type { Connection } from '../database/sql.js';
import { canaryGate, externalGate, gateOfStanding, gatesOfAll, noItemsGate, retryGates, type Surroundings } from './gates.js';
import { selectFacts, selectLaterRetries, selectPause } from './store/select-facts.js';
import { selectCrew } from './store/workers.js';
import type { Gate } from './waiting.view.js';

/** The gates that are shut for a batch. */
export interface Explanation {
  /** Of every item that waits. */
  all: Gate[];
  /** Of some of them. */
  some: Gate[];
  canMoveAt: string | null;
  /** Set when the batch runs and works items itself. */
  facts?: Surroundings['facts'];
}

/** Looks at everything that can keep a batch's items from starting. Reads a few rows, however large the batch is. */
export async function explainWaiting(connection: Connection, config: Config, batch: BatchRow): Promise<Explanation> {
  if (batch.status !== 'running') {
    const pause = batch.status === 'paused' ? await selectPause(connection, batch.id) : undefined;
    return { all: gateOfStanding(batch, pause), some: [], canMoveAt: null };
  }
  if (batch.external) return { all: externalGate(batch), some: [], canMoveAt: null };
  if (waitingItems(batch) === 0) return { all: noItemsGate(batch), some: [], canMoveAt: null };
  const surroundings = await lookAround(connection, config, batch);
  const { facts } = surroundings;
  const all = gatesOfAll(batch, surroundings);
  const later = await selectLaterRetries(connection, batch.run_id);
  const retries = retryGates(later, later.some(({ provider }) => provider !== null) ? await openBreakers(connection, batch.tenant) : []);
  const some = [...canaryGate(batch, facts), ...retries];
  const held = some.reduce((sum, { items }) => sum + items!, 0);
  // A chunk whose other items run may hold none that is free to start.
  const isFree = facts.claimable && waitingItems(batch) > held;
  return { all, some, canMoveAt: opensAt(isFree ? all : [...all, ...first(some)], facts.now), facts };
}

export function waitingItems(batch: BatchRow): number {
  const { status, total, succeeded, failed, skipped, cancelled } = batch;
  return isTerminal(status) ? 0 : Math.max(0, total - succeeded - failed - skipped - cancelled - runningItems(batch));
}

/** When all of the gates are open; null: nobody can tell. */
export function opensAt(gates: Gate[], now: Date): string | null {
  if (gates.some(({ until }) => until === null)) return null;
  return gates.map(({ until }) => until!).reduce((latest, until) => (until > latest ? until : latest), now.toISOString());
}

async function lookAround(connection: Connection, config: Config, batch: BatchRow): Promise<Surroundings> {
  const tenantPerMinute = config.tenantRateOf.get(batch.tenant) ?? config.tenantRatePerMinute;
  const buckets = rateBucketsOf(batch.id, batch.options, tenantPerMinute);
  const limits = concurrencyLimitsOf(config);
  return {
    facts: await selectFacts(connection, batch.run_id),
    crew: await selectCrew(connection, batch.operation, batch.tenant),
    emptyBuckets: buckets.length > 0 ? await selectEmptyBuckets(connection, batch.tenant, buckets) : [],
    room: limits && (await roomWithin(connection, batch.run_id, limits)),
  };
}

/** The one of them that opens first. */
function first(gates: Gate[]): Gate[] {
  const timed = gates.filter(({ until }) => until !== null);
  return timed.length === 0 ? gates.slice(0, 1) : [timed.reduce((a, b) => (a.until! <= b.until! ? a : b))];
}
