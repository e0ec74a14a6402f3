import { concurrencyAt, nextStepMs } from '../batches/ramp-up.js';
import type { Room } from '../batches/store/claim-within-limits.js';
import { type BatchRow, runningItems } from '../batches/store/select-batches.js';
import type { RateBucket } from '../batches/store/take-tokens.js';
import type { OpenBreaker } from '../breakers/breaker.view.js';
import type { LaterRetries, Pause, RunFacts } from './store/select-facts.js';
import type { Crew } from './store/workers.js';
import type { Gate, GateKind } from './waiting.view.js';

function shut(gate: GateKind, message: string, known: Partial<Gate> = {}): Gate {
  return { gate, message, items: null, by: null, since: null, until: null, ...known };
}

const iso = (date: Date | null | undefined): string | null => date?.toISOString() ?? null;

/** `1 item`, `12 items` */
const items = (count: number): string => `${count} item${count === 1 ? '' : 's'}`;

/** Of a batch that is not running: the one thing that it waits for. */
export function gateOfStanding(batch: BatchRow, pause: Pause | undefined): Gate[] {
  switch (batch.status) {
    case 'pending':
      return [shut('not-started', 'nobody has started the batch; start it', { since: iso(batch.created_at) })];
    case 'paused':
      return [pausedGate(batch, pause)];
    case 'stopping':
      return [stoppingGate(runningItems(batch))];
    default:
      return batch.rollback?.status === 'due'
        ? [shut('rollback', 'what the batch did is being taken back; its rollback says how far')]
        : [];
  }
}

function stoppingGate(running: number): Gate {
  return shut('stopping', `no item starts any more; ${items(running)} in flight may still finish`, { items: running || null });
}

function pausedGate({ reason, reason_kind: kind }: BatchRow, pause: { by: string | null; at: Date } | undefined): Gate {
  const known = { by: pause?.by ?? null, since: iso(pause?.at) };
  // The reason names the remedy itself.
  if (kind === 'canary') return shut(kind, reason!, known);
  if (kind === 'hanging-calls') return shut('handler-hangs', `${reason}; mend it, then resume the batch to go on`, known);
  if (kind === 'failure-threshold') return shut(kind, `${reason}; resume the batch to go on`, known);
  const who = known.by ? `${known.by} has paused the batch` : 'the batch is paused';
  return shut('paused', `${who}${reason ? ` (${reason})` : ''}; resume it to go on`, known);
}

/** Of a running batch whose results come from outside. */
export function externalGate(batch: BatchRow): Gate[] {
  const done = batch.succeeded + batch.failed + batch.skipped;
  return done < batch.total
    ? [shut('external-results', `results come from outside; ${done} of ${batch.total} are recorded`, { since: iso(batch.started_at) })]
    : noItemsGate(batch);
}

/** Of a running batch of which no item waits. */
export function noItemsGate(batch: BatchRow): Gate[] {
  if (batch.sealed) return [];
  const running = runningItems(batch);
  const standing = running > 0 ? `no item waits, ${items(running)} run${running === 1 ? 's' : ''}` : 'every item has ended';
  return [shut('no-items', `${standing}, and more may be added; add some, or seal the batch`)];
}

export interface Surroundings {
  facts: RunFacts;
  crew: Crew;
  /** Without a token. */
  emptyBuckets: (RateBucket & { nextAt: Date })[];
  /** What the limits over batches leave; undefined without any. */
  room: Room | undefined;
}

/** What holds every waiting item of a running batch, the hardest to open first. */
export function gatesOfAll(batch: BatchRow, { facts, crew, emptyBuckets, room }: Surroundings): Gate[] {
  return [
    workerGate(batch, crew, facts),
    room && limitGate(batch, room),
    rateGate(facts, emptyBuckets),
    concurrencyGate(batch, facts),
  ].filter((gate) => gate !== undefined);
}

function workerGate(
  { operation }: BatchRow,
  { workers, able, lanes, ready, hanging, no_space: noSpace }: Crew,
  { lanes_held: held }: RunFacts,
): Gate | undefined {
  if (able === 0) {
    const others = workers === 0 ? 'no worker is running' : `none of the ${workers} running workers knows it`;
    return shut('no-worker', `nobody works the operation ${operation}: ${others}; start a worker that does`);
  }
  if (ready > 0) return undefined;
  if (noSpace !== null) return shut('no-space', `${noSpace}; the batch goes on by itself then`);
  if (held > 0) return undefined;
  if (hanging > 0) {
    const where = `${hanging} of the ${able} workers that know it start no more of its items until some have ended`;
    return shut('handler-hangs', `calls of the operation ${operation} ignore their abort signals: ${where}`);
  }
  return shut(
    'workers-busy',
    `none of the ${able} workers that know the operation ${operation} has room: their ${lanes} lanes, the tenant's share of them, or what they may work of it at the same time, are taken`,
  );
}

const LIMIT_NAMES: Record<Room['of'], (batch: BatchRow) => string> = {
  service: () => 'the service (MAX_CONCURRENCY)',
  tenant: ({ tenant }) => `tenant ${tenant} (TENANT_CONCURRENCY)`,
  operation: ({ operation }) => `operation ${operation} (OPERATION_CONCURRENCY_OF)`,
};

/** What the batch itself was granted and does not use is no limit to it. */
function limitGate(batch: BatchRow, { of, limit, room, ofRun }: Room): Gate | undefined {
  if (room >= 1 || runningItems(batch) < ofRun) return undefined;
  return shut('concurrency-limit', `${LIMIT_NAMES[of](batch)} may work ${items(limit)} at the same time, and does`);
}

const BUCKET_NAMES: Record<RateBucket['scope'], (name: string) => string> = {
  batch: () => 'the batch',
  pool: (name) => `the pool ${name}`,
  tenant: () => 'the tenant',
};

function rateGate({ now, held_until: heldUntil }: RunFacts, empty: (RateBucket & { nextAt: Date })[]): Gate | undefined {
  const holds = heldUntil && heldUntil > now ? [heldUntil] : [];
  const times = [...empty.map(({ nextAt }) => nextAt), ...holds];
  if (times.length === 0) return undefined;
  const limits = empty.map(({ scope, name, perMinute }) => `${BUCKET_NAMES[scope](name)} may start ${items(perMinute)} a minute`);
  const why = limits.length > 0 ? limits.join(', and ') : 'its rate limits had none left';
  return shut('rate-limit', `no start is left for now: ${why}`, { until: iso(times.reduce((a, b) => (a > b ? a : b))) });
}

/** The batch's own: it runs as many items as it may at this moment. */
function concurrencyGate(batch: BatchRow, { elapsed_ms: elapsedMs, now }: RunFacts): Gate | undefined {
  const { options } = batch;
  const running = runningItems(batch);
  const allowed = options.rampUp ? concurrencyAt(options, elapsedMs ?? 0) : options.concurrency;
  if (running < allowed) return undefined;
  if (allowed === options.concurrency) return shut('concurrency', `${items(running)} run, as many as the batch's concurrency allows`);
  const until = new Date(now.getTime() + nextStepMs(options, elapsedMs ?? 0));
  return shut('ramp-up', `the concurrency grows to ${options.concurrency}, and allows ${items(allowed)} so far`, { until: iso(until) });
}

/** Items that the canary keeps back until the first ones have gone well. */
export function canaryGate(batch: BatchRow, { gate, finished }: RunFacts): Gate[] {
  const behind = gate === null ? 0 : batch.total - gate;
  if (gate === null || behind <= 0) return [];
  return [shut('canary', `the first ${items(gate)} go first; ${finished} of them have ended`, { items: behind, by: 'service' })];
}

/** Of an error in a gate's message. */
const MAX_ERROR = 300;

/** Items that wait for their next try. */
export function retryGates(later: LaterRetries[], open: OpenBreaker[]): Gate[] {
  return later.map(({ provider, items: count, due_at: dueAt, error }) => {
    const breaker = open.find((each) => each.provider === provider);
    if (!breaker) {
      const forWhom = provider === null ? '' : `, as the provider ${provider} asked`;
      const why = error === null ? '' : `; the first one ran into: ${error.slice(0, MAX_ERROR)}`;
      const message = `${items(count)} wait${count === 1 ? 's' : ''} for another try${forWhom}${why}`;
      return shut('retry', message, { items: count, until: iso(dueAt) });
    }
    const until = breaker.until && (breaker.until > dueAt ? breaker.until : dueAt);
    const known = { items: count, since: iso(breaker.since), until: iso(until) };
    return shut('circuit-breaker', `the provider ${provider} is left alone: ${breaker.why}`, known);
  });
}

export function itemsBeforeGate(before: number): Gate[] {
  return before > 0 ? [shut('items-before', `${items(before)} come${before === 1 ? 's' : ''} first`)] : [];
}
