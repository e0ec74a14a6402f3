import { Logger } from '@nestjs/common';
import type { BatchOptions } from '../batches/batch.options.js';
import { handlerLogger } from '../batches/batch-planner.js';
import { OUTCOME_STATUS } from '../batches/entities/outcome.entity.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import type { DeferredItem, RecordedOutcome } from '../batches/store/record-outcomes.js';
import { checkInput } from '../common/check-input.js';
import { toStorableJson, toStorableText } from '../common/safe-json.js';
import type {
  BatchContext,
  ChunkContext,
  Item,
  ItemContext,
  ItemHandlerClass,
  ItemOutcome,
  ItemResult,
} from '../operations/item-handler.js';
import type { RegisteredHandler } from '../operations/item-handler.registry.js';
import type { WorkItem } from './held-chunk.js';
import { isFinal, type ItemFailure, toFailure } from './item-failure.js';
import { retryDelayMs } from './retry-policy.js';

const MAX_OUTPUT_CHARACTERS = 262_144;

/** What came of one try: an outcome to record, or a retry to defer. */
export type Settlement = { outcome: RecordedOutcome } | { deferred: DeferredItem };

/** Takes one batch's items through its handler. Never throws: whatever a handler does becomes an outcome or a retry. */
export class ItemRunner {
  /** Percent that running items report, by position. */
  readonly progress = new Map<number, number>();
  private readonly handler: ItemHandlerClass;
  private readonly batch: BatchContext;
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
      parameters: registered.parameters ? checkInput(registered.parameters, lane.parameters, 'parameters') : lane.parameters,
      logger: handlerLogger(new Logger(`ItemHandler ${lane.operation}`), lane.batch_id),
    };
  }

  get takesChunks(): boolean {
    return this.handler.runChunk !== undefined;
  }

  async runItem(work: WorkItem): Promise<Settlement> {
    try {
      if (this.takesChunks) return (await this.runChunk([work]))[0]!;
      const item = this.toItem(work);
      const result = await this.handler.run!(item, new WorkContext(this.batch, work, this.keyPrefix, this.progress));
      return this.succeed(work, result ?? {});
    } catch (error) {
      return this.fail(work, toFailure(error));
    } finally {
      this.progress.delete(work.seq);
    }
  }

  /** @returns one settlement for each item, in the same order */
  async runChunk(works: WorkItem[]): Promise<Settlement[]> {
    const settled = new Map<WorkItem, Settlement>();
    const valid: { work: WorkItem; item: Item }[] = [];
    for (const work of works) {
      try {
        valid.push({ work, item: this.toItem(work) });
      } catch (error) {
        settled.set(work, this.fail(work, toFailure(error)));
      }
    }
    const outcomes = await this.outcomesOf(
      valid.map(({ item }) => item),
      works[0]!,
    );
    valid.forEach(({ work }, index) => settled.set(work, this.toSettlement(work, outcomes[index])));
    return works.map((work) => settled.get(work)!);
  }

  fail(work: WorkItem, failure: ItemFailure): Settlement {
    const { retryAfterMs } = failure;
    if (retryAfterMs !== undefined) return this.defer(work, failure, retryAfterMs, work.attempt);
    if (!isFinal(failure) && work.attempt <= this.options.retryAttempts) {
      return this.defer(work, failure, retryDelayMs(this.options, work.attempt), work.attempt + 1);
    }
    return { outcome: this.toOutcome(work, { status: OUTCOME_STATUS.failed, errorKind: failure.kind, error: failure.message }) };
  }

  private async outcomesOf(items: Item[], first: WorkItem): Promise<(ItemOutcome | undefined)[]> {
    if (items.length === 0) return [];
    try {
      return await this.handler.runChunk!(items, new WorkContext(this.batch, first, this.keyPrefix, this.progress));
    } catch (error) {
      return items.map(() => ({ error }));
    }
  }

  private toSettlement(work: WorkItem, outcome: ItemOutcome | undefined): Settlement {
    if (!outcome) return this.fail(work, { kind: 'invalid-result', message: 'the chunk handler returned no outcome for this item' });
    return 'error' in outcome ? this.fail(work, toFailure(outcome.error)) : this.succeed(work, outcome);
  }

  private toItem(work: WorkItem): Item {
    const { payload: payloadClass } = this.registered;
    const payload = payloadClass ? checkInput(payloadClass, work.payload ?? {}, 'payload') : work.payload;
    return { key: work.key, payload, attempt: work.attempt };
  }

  private succeed(work: WorkItem, result: ItemResult): Settlement {
    let output: string | undefined;
    try {
      output = toStorableJson(result.output);
    } catch (error) {
      return this.fail(work, { kind: 'invalid-result', message: `the output is not JSON: ${(error as Error).message}` });
    }
    if (output !== undefined && output.length > MAX_OUTPUT_CHARACTERS) {
      return this.fail(work, {
        kind: 'invalid-result',
        message: `the output has ${output.length} characters; at most ${MAX_OUTPUT_CHARACTERS} are kept`,
      });
    }
    const quality = result.quality === undefined ? null : Math.min(1, Math.max(0, result.quality));
    const { skipped } = result;
    const ending =
      skipped === undefined
        ? { status: OUTCOME_STATUS.succeeded }
        : { status: OUTCOME_STATUS.skipped, errorKind: 'skipped', error: toStorableText(skipped) };
    return { outcome: this.toOutcome(work, { ...ending, quality: Number.isNaN(quality) ? null : quality, output: output ?? 'null' }) };
  }

  private toOutcome(work: WorkItem, ending: Pick<RecordedOutcome, 'status'> & Partial<RecordedOutcome>): RecordedOutcome {
    return {
      seq: work.seq,
      attempts: work.attempt,
      durationMs: work.startedAt === 0 ? null : performance.now() - work.startedAt,
      quality: null,
      key: work.key,
      errorKind: null,
      error: null,
      output: 'null',
      ...ending,
    };
  }

  private defer(work: WorkItem, failure: ItemFailure, delayMs: number, attempt: number): Settlement {
    const { seq, key, payload } = work;
    return {
      deferred: JSON.stringify({ seq, delay_ms: delayMs, attempt, key, payload, error_kind: failure.kind, error: failure.message }),
    };
  }
}

/** An item's context. A plain object with an AbortController costs about 4 microseconds an item: the signal is made when asked for. */
class WorkContext implements ItemContext, ChunkContext {
  constructor(
    private readonly batch: BatchContext,
    private readonly work: WorkItem,
    private readonly keyPrefix: string,
    private readonly reported: Map<number, number>,
  ) {}

  get batchId(): string {
    return this.batch.batchId;
  }

  get tenant(): string {
    return this.batch.tenant;
  }

  get operation(): string {
    return this.batch.operation;
  }

  get parameters(): unknown {
    return this.batch.parameters;
  }

  get logger(): BatchContext['logger'] {
    return this.batch.logger;
  }

  get attempt(): number {
    return this.work.attempt;
  }

  get idempotencyKey(): string {
    return `${this.keyPrefix}${this.work.seq}`;
  }

  get signal(): AbortSignal {
    return (this.work.controller ??= new AbortController()).signal;
  }

  progress(percent: number): void {
    if (percent >= 0 && percent <= 100) this.reported.set(this.work.seq, Math.floor(percent));
  }
}
