import { IsInt, IsNumber, IsOptional, Max, Min } from 'class-validator';
import { setTimeout as delay } from 'node:timers/promises';
import { Config } from '../config.js';
import {
  type Item,
  type ItemContext,
  ItemHandler,
  type ItemHandlerClass,
  type ItemResult,
  type NewItem,
  PermanentError,
  RetryLaterError,
  type SelectionContext,
} from './item-handler.js';

/** What one item does; a batch's parameters do it to all of its items. Nothing of it: the item succeeds at once. */
export interface NoopPayload {
  /** How long the item takes, unless it is told to stop. */
  durationMs?: number;
  /** Probability of a failing try, 0 to 1. Decided by the key and the attempt, so that a repeated batch fails the same. */
  failureRate?: number;
  /** Returned as the item's output. */
  output?: unknown;
  /** Fail: for good, so that it is tried again, or with "not now" (again after 50 ms, which costs no attempt). */
  fail?: 'permanent' | 'retryable' | 'later';
  /** Fail only the first so many tries. Default: all. Those of `later` are counted in this process. */
  times?: number;
  /** Do not listen to the signal, and end only after a minute. For tests: only where NOOP_FAULTS allows it. */
  hang?: boolean;
}

export class NoopParameters {
  @IsOptional() @IsNumber() @Min(0) @Max(86_400_000) durationMs?: number;
  @IsOptional() @IsNumber() @Min(0) @Max(1) failureRate?: number;
  @IsOptional() @IsInt() @Min(0) @Max(10_000_000) count?: number;
}

export class NoopFilters {
  /** Makes this many items. */
  @IsOptional() @IsInt() @Min(0) @Max(10_000_000) count?: number;
}

const DONE: Promise<ItemResult> = Promise.resolve({});
const LATER_MS = 50;
const HANG_MS = 60_000;
/** An item this long tells ten times how far it is. */
const LONG_MS = 1_000;
/** Items whose refusals are counted; what is too many is forgotten, oldest first, and refused so many times again. */
const MAX_COUNTED = 100_000;
const NO_FAULTS = 'its hang is for tests and harms others; only a service that is started with NOOP_FAULTS=true takes it';

/** Does nothing, for as long and as badly as it is told: for tests, demonstrations and measurements. */
@ItemHandler('noop', { parameters: NoopParameters, filters: NoopFilters, writesRecords: false })
export class NoopItemHandler implements ItemHandlerClass<NoopPayload | undefined, NoopParameters, NoopFilters> {
  private readonly refusals = new Map<string, number>();

  constructor(private readonly config: Config) {}

  refuseItem(text: string): string | undefined {
    if (this.config.noopFaults || !text.includes('"hang"')) return undefined;
    return (JSON.parse(text) as NewItem & { payload?: NoopPayload }).payload?.hang ? NO_FAULTS : undefined;
  }

  run(item: Item<NoopPayload | undefined>, context: ItemContext<NoopParameters>): Promise<ItemResult> {
    const { parameters } = context;
    const payload = item.payload ?? {};
    const durationMs = payload.durationMs ?? parameters.durationMs ?? 0;
    const failureRate = payload.failureRate ?? parameters.failureRate ?? 0;
    // No timer, no signal, no validation on the way of an item without duration: it measures the engine, not this handler.
    if (durationMs === 0 && failureRate === 0 && !payload.fail && !payload.hang) {
      return payload.output === undefined ? DONE : Promise.resolve({ output: payload.output });
    }
    return this.work(item, context, { ...payload, durationMs, failureRate });
  }

  async *selectItems(filters: NoopFilters, context: SelectionContext<NoopParameters>): AsyncGenerator<NewItem> {
    const count = filters.count ?? context.parameters.count ?? 0;
    for (let number = 1; number <= count; number += 1) yield { key: String(number) };
  }

  private async work(
    item: Item,
    context: ItemContext,
    plan: NoopPayload & { durationMs: number; failureRate: number },
  ): Promise<ItemResult> {
    if (plan.hang && !this.config.noopFaults) throw new PermanentError(NO_FAULTS);
    if (plan.hang) await delay(HANG_MS, undefined, { ref: false });
    if (plan.durationMs > 0) await pass(plan.durationMs, context);
    if (plan.fail) this.fail(plan.fail, plan.times ?? Infinity, item, context.idempotencyKey);
    if (plan.failureRate > chance(item.key, item.attempt)) throw new Error(`attempt ${item.attempt} failed by chance`);
    return { output: plan.output };
  }

  private fail(how: NonNullable<NoopPayload['fail']>, times: number, item: Item, id: string): void {
    if (how !== 'later') {
      if (item.attempt > times) return;
      throw how === 'permanent' ? new PermanentError('failed for good, as told') : new Error(`attempt ${item.attempt} failed, as told`);
    }
    const refused = this.refusals.get(id) ?? 0;
    if (refused >= times) {
      this.refusals.delete(id);
      return;
    }
    if (refused === 0 && this.refusals.size >= MAX_COUNTED) this.refusals.delete(this.refusals.keys().next().value!);
    this.refusals.set(id, refused + 1);
    throw new RetryLaterError('not now, as told', LATER_MS);
  }
}

async function pass(durationMs: number, context: ItemContext): Promise<void> {
  const steps = durationMs >= LONG_MS ? 10 : 1;
  for (let step = 1; step <= steps; step += 1) {
    await delay(durationMs / steps, undefined, { signal: context.signal });
    context.progress((100 * step) / steps);
  }
}

/** The same number in 0..1 for the same key and attempt, evenly spread (FNV-1a, finished by a mixing step). */
function chance(key: string, attempt: number): number {
  let hash = 0x811c9dc5 ^ attempt;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
