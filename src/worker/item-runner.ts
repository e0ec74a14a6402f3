import { type BatchOptions, keepsBackup } from '../batches/batch.options.js';
import { OUTCOME_STATUS } from '../batches/entities/outcome.entity.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import type { RecordedOutcome } from '../batches/store/record-outcomes.js';
import { checkInput } from '../common/check-input.js';
import type { Item, ItemHandlerClass, ItemResult } from '../operations/item-handler.js';
import { handlerLogger } from '../operations/handler-logger.js';
import type { RegisteredHandler } from '../operations/item-handler.registry.js';
import { handlerParameters } from '../operations/parameters.js';
import type { WorkItem } from './held-chunk.js';
import { isFinal, isObedience, type ItemFailure, stackOf, toFailure } from './item-failure.js';
import { type Ending, readResult } from './item-result.js';
import { retryDelayMs } from './retry-policy.js';
import type { Settlement } from './settlement.js';
import { type BatchAtWork, WorkContext } from './work-context.js';

/** Failures of a turn whose stacks are kept: to write a million of them would take longer than most handlers do. */
const MAX_STACKS = 100;

/** An item may be told "not now" for so long in a row, a wait for a provider that is left alone not counted. */
const MAX_PUT_OFF_MS = 86_400_000;

/** Told once what came of an item. */
type Settle = (work: WorkItem, settlement: Settlement) => void;

/** Takes one batch's items through its handler. Never throws: whatever a handler does becomes an outcome or a retry. */
export class ItemRunner {
  /** Percent that running items report, by position. */
  readonly progress = new Map<number, number>();
  /** How often items have reported. */
  reports = 0;
  private stacks = 0;
  private readonly handler: ItemHandlerClass;
  private readonly batch: BatchAtWork;
  private readonly options: BatchOptions;
  private readonly keyPrefix: string;

  constructor(
    private readonly registered: RegisteredHandler,
    lane: ClaimedLane,
  ) {
    this.handler = registered.handler;
    this.options = lane.options;
    this.keyPrefix = `${lane.tenant}:${lane.batch_id}:${lane.run_no}:`;
    this.batch = {
      batchId: lane.batch_id,
      tenant: lane.tenant,
      operation: lane.operation,
      parameters: handlerParameters(registered, lane.parameters),
      logger: handlerLogger(lane.operation, lane.batch_id),
      conflictResolution: lane.options.conflictResolution,
      keepsBackup: keepsBackup(lane.options),
      // Read anew for each item: the batch's settings may change.
      get limits() {
        return { timeoutMs: lane.options.timeout, ...lane.options.resourceLimits };
      },
    };
  }

  get takesChunks(): boolean {
    return this.handler.runChunk !== undefined;
  }

  /** Callbacks rather than an async function, which would make five promises of an item instead of two. */
  runItem(work: WorkItem, settle: Settle): void {
    const prepared = this.prepare(work);
    if ('refused' in prepared) return this.endSoon(work, prepared.refused, settle);
    try {
      Promise.resolve(this.handler.run!(prepared.item, this.contextOf(work))).then(
        (result) => this.end(work, this.succeed(work, result ?? {}), settle),
        (error: unknown) => this.end(work, this.fail(work, toFailure(error)), settle),
      );
    } catch (error) {
      this.endSoon(work, this.fail(work, toFailure(error)), settle);
    }
  }

  /** @returns one settlement for each item, in the same order */
  async runChunk(works: WorkItem[]): Promise<Settlement[]> {
    const settled = new Map<WorkItem, Settlement>();
    const valid: { work: WorkItem; item: Item }[] = [];
    for (const work of works) {
      const prepared = this.prepare(work);
      if ('refused' in prepared) settled.set(work, prepared.refused);
      else valid.push({ work, item: prepared.item });
    }
    const outcomes = await this.outcomesOf(
      valid.map(({ item }) => item),
      works[0]!,
    );
    valid.forEach(({ work }, index) => settled.set(work, this.toSettlement(work, outcomes[index])));
    return works.map((work) => settled.get(work)!);
  }

  fail(work: WorkItem, failure: ItemFailure): Settlement {
    if (work.stopped) return this.leaveUndone(work, failure);
    if (failure.retryAfterMs !== undefined) return this.putOff(work, failure, failure.retryAfterMs);
    const final = isFinal(failure) || (failure.kind === 'timeout' && !this.options.retryTimeouts);
    if (!final && work.attempt <= this.options.retryAttempts) {
      return this.defer(work, failure, { delayMs: retryDelayMs(this.options, work.attempt), attempt: work.attempt + 1, waitedMs: 0 });
    }
    const { kind: errorKind, message: error } = failure;
    return { outcome: this.toOutcome(work, { status: OUTCOME_STATUS.failed, errorKind, error, errorStack: this.keptStackOf(failure) }) };
  }

  /** No attempt is counted, and the wait has an end. */
  private putOff(work: WorkItem, failure: ItemFailure, delayMs: number): Settlement {
    const waitedMs = work.waitedMs + (failure.waitsFor === undefined ? delayMs : 0);
    if (waitedMs <= MAX_PUT_OFF_MS) return this.defer(work, failure, { delayMs, attempt: work.attempt, waitedMs });
    const error = `it was put off again and again, for a day in all, which is the limit; the last time: ${failure.message}`;
    return { outcome: this.toOutcome(work, { status: OUTCOME_STATUS.failed, errorKind: failure.kind, error }) };
  }

  /** Its batch was stopped while it ran: it stays undone, and what it last ran into is told. */
  private leaveUndone(work: WorkItem, failure: ItemFailure): Settlement {
    const afterMs = Math.round(performance.now() - work.startedAt);
    const interrupted: ItemFailure = { kind: 'interrupted', message: `no result after ${afterMs} ms, when the batch was stopped` };
    const told = isObedience(failure) ? (work.last ?? interrupted) : failure;
    return this.defer(work, told, { delayMs: 0, attempt: work.attempt, waitedMs: work.waitedMs });
  }

  private keptStackOf(failure: ItemFailure): string | null {
    if (failure.thrown === undefined || this.stacks >= MAX_STACKS) return null;
    this.stacks += 1;
    return stackOf(failure);
  }

  private end(work: WorkItem, settlement: Settlement, settle: Settle): void {
    this.progress.delete(work.seq);
    settle(work, settlement);
  }

  /** Whoever started it may still be looking for others to start. */
  private endSoon(work: WorkItem, settlement: Settlement, settle: Settle): void {
    queueMicrotask(() => this.end(work, settlement, settle));
  }

  private contextOf(work: WorkItem): WorkContext {
    return new WorkContext(this.batch, work, this.keyPrefix, this.report);
  }

  private readonly report = (seq: number, percent: number): void => {
    this.progress.set(seq, percent);
    this.reports += 1;
  };

  private async outcomesOf(items: Item[], first: WorkItem): Promise<unknown[]> {
    if (items.length === 0) return [];
    try {
      const outcomes: unknown = await this.handler.runChunk!(items, this.contextOf(first));
      return Array.isArray(outcomes) ? (outcomes as unknown[]) : [];
    } catch (error) {
      return items.map(() => ({ error }));
    }
  }

  private toSettlement(work: WorkItem, outcome: unknown): Settlement {
    if (typeof outcome !== 'object' || outcome === null) {
      return this.fail(work, { kind: 'invalid-result', message: 'the chunk handler returned no outcome for this item' });
    }
    try {
      return 'error' in outcome ? this.fail(work, toFailure(outcome.error)) : this.succeed(work, outcome);
    } catch (error) {
      return this.fail(work, { kind: 'invalid-result', message: toFailure(error).message });
    }
  }

  private prepare(work: WorkItem): { item: Item } | { refused: Settlement } {
    const { payload: payloadClass } = this.registered;
    try {
      const payload = payloadClass ? checkInput(payloadClass, work.payload ?? {}, 'payload') : work.payload;
      return { item: { key: work.key, payload, attempt: work.attempt, idempotencyKey: `${this.keyPrefix}${work.seq}` } };
    } catch (error) {
      return { refused: this.fail(work, { kind: 'invalid-payload', message: toFailure(error).message }) };
    }
  }

  private succeed(work: WorkItem, result: ItemResult): Settlement {
    try {
      return { outcome: this.toOutcome(work, readResult(result)) };
    } catch (error) {
      return this.fail(work, { kind: 'invalid-result', message: `the result cannot be recorded: ${toFailure(error).message}` });
    }
  }

  private toOutcome(work: WorkItem, ending: Ending): RecordedOutcome {
    return {
      seq: work.seq,
      attempts: work.attempt,
      status: ending.status,
      durationMs: ending.durationMs ?? measured(work),
      quality: ending.quality ?? null,
      key: work.key,
      errorKind: ending.errorKind ?? null,
      error: ending.error ?? null,
      errorStack: ending.errorStack ?? null,
      output: ending.output ?? 'null',
      compensation: ending.compensation ?? null,
    };
  }

  private defer(
    { seq, key, payload }: WorkItem,
    { kind, message, waitsFor }: Pick<ItemFailure, 'kind' | 'message' | 'waitsFor'>,
    { delayMs, attempt, waitedMs }: { delayMs: number; attempt: number; waitedMs: number },
  ): Settlement {
    return {
      deferred: JSON.stringify({
        seq,
        delay_ms: delayMs,
        attempt,
        key,
        // As text, because PostgreSQL would stumble over a NUL or half a surrogate within a larger JSON value.
        payload: payload === undefined ? null : JSON.stringify(payload),
        error_kind: kind,
        error: message,
        waits_for: waitsFor,
        waited_ms: waitedMs,
      }),
    };
  }
}

/** To the microsecond, which is as far as the clock goes. */
function measured({ startedAt, sharedBy }: WorkItem): number | null {
  return startedAt === 0 ? null : Math.round(((performance.now() - startedAt) / sharedBy) * 1_000) / 1_000;
}
