import type { RegisteredHandler } from '../operations/item-handler.registry.js';
import type { BatchOptions, BatchOptionsInput } from './batch.options.js';
import { DEFAULT_MIN_ITEMS } from './caution.options.js';

/** An option that changes nothing, by its path within the options ("canary.maxFailedPercent"), and why. */
export interface IdleOption {
  path: string;
  why: string;
}

/** What a new batch is, as far as it decides which options are read. */
export interface OptionReaders {
  /** Complete, as they are kept. */
  options: BatchOptions;
  /** Who works it; undefined: its results come from outside. */
  handler: RegisteredHandler | undefined;
  /** How many items it has; undefined while more may come. */
  total: number | undefined;
  /** An option as its caller knows it. */
  nameOf: (path: string) => string;
}

type Reasons = Partial<Record<keyof BatchOptionsInput, string>>;

/** Of the options that a caller gave, those that nobody reads in this batch, or that others leave nothing to do. */
export function idleOptions(given: BatchOptionsInput, readers: OptionReaders): IdleOption[] {
  const { handler } = readers;
  const reasons = handler ? reasonsOfHandler(handler, readers) : REASONS_OUTSIDE;
  const asksNothing = handler ? { ...NO_CHANGES, ...NO_WAITING } : NO_CHANGES;
  const idle = (Object.entries(reasons) as [keyof BatchOptionsInput, string][])
    .filter(([name]) => isGiven(given[name]) && given[name] !== asksNothing[name])
    .map(([path, why]) => ({ path, why }));
  return [...idle, ...idleParts(given, readers)];
}

function isGiven<T>(value: T): value is NonNullable<T> {
  return value !== undefined && value !== null;
}

/** What is asked for so is done, whoever reads it. */
const NO_CHANGES: BatchOptionsInput = { conflictResolution: 'auto', backupStrategy: 'none', rollbackOnFailure: false };
const NO_WAITING: BatchOptionsInput = { retryBackoff: 'none', retryDelay: 0, retryJitter: false, retryTimeouts: false };

const OUTSIDE = 'whoever records the results decides that';
const CHANGES_OUTSIDE = 'whoever records the results makes the changes, and takes them back';

const REASONS_OUTSIDE: Reasons = {
  batchSize: OUTSIDE,
  concurrency: OUTSIDE,
  retryBackoff: OUTSIDE,
  retryDelay: OUTSIDE,
  retryMaxDelay: OUTSIDE,
  retryJitter: OUTSIDE,
  retryTimeouts: OUTSIDE,
  timeout: OUTSIDE,
  priority: OUTSIDE,
  conflictResolution: CHANGES_OUTSIDE,
  backupStrategy: CHANGES_OUTSIDE,
  rollbackOnFailure: CHANGES_OUTSIDE,
};

function reasonsOfHandler(registered: RegisteredHandler, readers: OptionReaders): Reasons {
  return { ...reasonsOfSlots(registered, readers), ...reasonsOfRetries(readers), ...reasonsOfRecords(registered) };
}

function reasonsOfSlots({ operation, handler: { slotsPerWorker } }: RegisteredHandler, { options }: OptionReaders): Reasons {
  if (slotsPerWorker === undefined) return {};
  const reasons: Reasons = { batchSize: `items of the operation ${operation} are handed out one by one` };
  if (options.concurrency <= slotsPerWorker) return reasons;
  const most = `each worker process works ${slotsPerWorker} items of the operation ${operation} at the same time, over all batches`;
  return { ...reasons, concurrency: `${most}, so that more than ${slotsPerWorker} need more processes` };
}

function reasonsOfRetries({ options: { retryAttempts, retryBackoff, retryDelay }, nameOf }: OptionReaders): Reasons {
  if (retryAttempts === 0) {
    const why = `${nameOf('retryAttempts')} is 0: nothing is tried again`;
    return { retryBackoff: why, retryDelay: why, retryMaxDelay: why, retryJitter: why, retryTimeouts: why };
  }
  if (retryBackoff === 'none') {
    const why = `${nameOf('retryBackoff')} is none: nothing waits for its next try`;
    return { retryDelay: why, retryMaxDelay: why, retryJitter: why };
  }
  if (retryDelay > 0) return {};
  const why = `${nameOf('retryDelay')} is 0: nothing waits for its next try`;
  return { retryBackoff: why, retryMaxDelay: why, retryJitter: why };
}

/** A thread is not told of backups: it has no record store to write with. */
function reasonsOfRecords({ operation, writesRecords, thread, handler }: RegisteredHandler): Reasons {
  const why = `the operation ${operation} writes no records`;
  const savesNone = writesRecords === false || thread instanceof URL;
  return {
    ...(writesRecords === false && { conflictResolution: why }),
    ...(savesNone && { backupStrategy: why }),
    ...(savesNone && !handler.compensate && { rollbackOnFailure: `${why}, and nothing else that it could take back` }),
  };
}

/** Options whose value, or a part of it, comes to nothing beside the others. */
function idleParts(given: BatchOptionsInput, readers: OptionReaders): IdleOption[] {
  return [...idleLimits(given, readers), ...idleCaution(given, readers), ...idleRates(given, readers)];
}

const WORKED_OUTSIDE = 'its results come from outside, and whoever works it uses what they use; leave it out';

/** Why the memory and processor time of a batch cannot be limited; undefined when they can. @param registered undefined: nobody here works it */
export function whyNotLimited(registered: RegisteredHandler | undefined): string | undefined {
  if (!registered) return WORKED_OUTSIDE;
  if (registered.thread) return undefined;
  const remedy = 'leave it out, or give the operation a thread (docs/threads.md)';
  return `the operation ${registered.operation} works in the main thread, which all batches of a process share; ${remedy}`;
}

function idleLimits({ resourceLimits }: BatchOptionsInput, { handler }: OptionReaders): IdleOption[] {
  const why = whyNotLimited(handler);
  if (!why || !resourceLimits) return [];
  return Object.entries(resourceLimits)
    .filter(([, limit]) => isGiven(limit))
    .map(([name]) => ({ path: `resourceLimits.${name}`, why }));
}

function idleCaution({ failureThreshold: threshold, canary }: BatchOptionsInput, { total, nameOf }: OptionReaders): IdleOption[] {
  const idle: IdleOption[] = [];
  const minItems = threshold?.minItems ?? DEFAULT_MIN_ITEMS;
  if (threshold?.percent === undefined && threshold?.minItems !== undefined) {
    idle.push({ path: 'failureThreshold.minItems', why: `it goes with ${nameOf('failureThreshold.percent')}, which is not given` });
  }
  if (threshold?.percent !== undefined && total !== undefined && total < minItems) {
    const why = `it is looked at when ${minItems} items are finished (minItems), and the batch has ${total}`;
    idle.push({ path: 'failureThreshold.percent', why });
  }
  const first = canary?.items ?? Math.ceil(((total ?? 0) * (canary?.percent ?? 0)) / 100);
  if (canary && total !== undefined && total > 0 && first >= total) {
    idle.push({ path: 'canary', why: `the batch has ${total} items, and the first ${first} are all of them` });
  }
  if (canary?.then === 'confirm' && canary.maxFailedPercent !== undefined) {
    idle.push({ path: 'canary.maxFailedPercent', why: 'with "then": "confirm" the batch is paused however many failed' });
  }
  return idle;
}

function idleRates(given: BatchOptionsInput, { options, nameOf }: OptionReaders): IdleOption[] {
  const idle: IdleOption[] = [];
  const { rampUp, rateLimitPerMinute, rateLimitPool, backupStrategy } = given;
  const from = rampUp?.from ?? 1;
  if (rampUp && from >= options.concurrency) {
    idle.push({ path: 'rampUp', why: `it grows from ${from} to ${nameOf('concurrency')}, which is ${options.concurrency}` });
  }
  if (isGiven(rateLimitPerMinute) && rateLimitPool && rateLimitPerMinute >= rateLimitPool.perMinute) {
    const why = `${nameOf('rateLimitPool')} lets no more than ${rateLimitPool.perMinute} items start in a minute`;
    idle.push({ path: 'rateLimitPerMinute', why });
  }
  if (backupStrategy === 'none' && options.rollbackOnFailure) {
    idle.push({ path: 'backupStrategy', why: `${nameOf('rollbackOnFailure')} needs a backup, and so makes one` });
  }
  return idle;
}
