import { SetMetadata, type Type } from '@nestjs/common';
import type { ConflictResolution } from '../batches/batch.options.js';

export { BatchStoppedError, PermanentError, ResourceLimitError, RetryLaterError } from './item-errors.js';

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** One unit of work as its handler sees it. */
export interface Item<Payload = unknown> {
  /** The caller's own name for it, unique enough to find it again ("custom_id"). */
  readonly key: string;
  readonly payload: Payload;
  /** 1 for the first try. */
  readonly attempt: number;
  /** The same for every try of this item in this run: give it to providers, so that a repeated call is not paid twice. */
  readonly idempotencyKey: string;
}

/** What a handler returns for one item. Returning nothing is success without output. */
export interface ItemResult {
  /** JSON, at most 256 kB. */
  output?: unknown;
  /** How good the result is, 0 to 1. */
  quality?: number;
  /** Milliseconds it took, for a chunk handler that knows. Default: measured, or its share of the chunk's time. */
  durationMs?: number;
  /** Set when there was nothing to do; says why. The item counts as skipped. */
  skipped?: string;
  /** What would undo what was done: JSON, at most 16 kB. When the batch is rolled back it is handed to the handler's `compensate`. */
  compensation?: unknown;
}

/** What a chunk handler returns for one item: its result, or the error that it failed with. */
export type ItemOutcome = ItemResult | { error: unknown };

/** The batch as a handler sees it. */
export interface BatchContext<Parameters = unknown> {
  readonly batchId: string;
  readonly tenant: string;
  readonly operation: string;
  /** The batch's parameters, checked against the handler's `parameters` class when the batch was created. */
  readonly parameters: Parameters;
  readonly logger: HandlerLogger;
}

/** The batch as it is being created. */
export interface SelectionContext<Parameters = unknown> extends BatchContext<Parameters> {
  /** Keeps a sentence with the batch, for whoever created it: what was chosen or read otherwise than they may think. */
  warn(sentence: string): void;
}

export interface HandlerLogger {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

export interface ChunkContext<Parameters = unknown> extends BatchContext<Parameters> {
  /**
   * Aborted at the item's time limit (its reason is then a `TimeoutError`), when the batch is cancelled or timed out (a
   * BatchStoppedError: what is in flight may still finish and be recorded), and when the worker shuts down. Made on first use.
   */
  readonly signal: AbortSignal;
  readonly limits: ItemLimits;
  /** What to do with a record that is there already. */
  readonly conflictResolution: ConflictResolution;
  /** What the batch writes over is saved first. Hand the context to the record store's writes, which then do it. */
  readonly keepsBackup: boolean;
}

export interface ItemContext<Parameters = unknown> extends ChunkContext<Parameters> {
  readonly attempt: number;
  /** The same for every try of this item in this run: give it to providers, so that a repeated call is not paid twice. */
  readonly idempotencyKey: string;
  /** Tells how far this item is, 0 to 100. Shown while it runs. */
  progress(percent: number): void;
  /** Waits with the item's clock stopped: a turn at what it shares with other items costs it none of its time limit. */
  untimed<T>(wait: Promise<T>): Promise<T>;
}

/** What an item may use. Work in threads is held to memory and processor time, see docs/threads.md. */
export interface ItemLimits {
  timeoutMs: number;
  /** MB that the batch's items at work in this process may take together. */
  maxMemoryMb?: number;
  /** Percent of one core that the batch may use in this process. */
  maxCpuPercent?: number;
}

/** The batch, and the item whose work is to be undone. */
export interface CompensationContext<Parameters = unknown> extends BatchContext<Parameters> {
  /** The item's key. */
  readonly key: string;
  /** 1 for the first try. */
  readonly attempt: number;
  /** The same for every try of this compensation, also after a crash. */
  readonly idempotencyKey: string;
  /** Aborted at the batch's time limit for an item, and when the worker shuts down. */
  readonly signal: AbortSignal;
}

/** An item to be: a key (default: its number in the batch, from 1) and a JSON payload. */
export interface NewItem {
  key?: string;
  payload?: unknown;
}

/**
 * The plug-in that does one operation's work. Implement `run` (one item at a time, several side by side) or `runChunk`
 * (up to 500 items of a chunk in one call, one outcome for each in the same order; the time limit is that of the call).
 *
 * An error thrown means "try again" until the attempts end; PermanentError means "no" and RetryLaterError "not now", which costs no
 * attempt. A handler whose options name a `thread` has neither: its items are worked by that module.
 */
export interface ItemHandlerClass<Payload = unknown, Parameters = unknown, Filters = unknown> {
  run?(item: Item<Payload>, context: ItemContext<Parameters>): Promise<ItemResult | void>;
  runChunk?(items: Item<Payload>[], context: ChunkContext<Parameters>): Promise<ItemOutcome[]>;
  /**
   * Says what is wrong with an item before it is taken in, or with its new payload; undefined: nothing. Called for each item that comes,
   * so it must be quick: `text` is the JSON of `{ key?, payload? }` as it was sent, which may have been written in many ways.
   */
  refuseItem?(text: string): string | undefined;
  /** Chooses a batch's items when it is created with filters instead of a list. Streamed: never held whole in memory. */
  selectItems?(filters: Filters, context: SelectionContext<Parameters>): AsyncIterable<NewItem>;
  /**
   * Undoes one item's work, by what `run` or `runChunk` returned as its `compensation`. Called when the batch is rolled back: for each
   * item that has one, the last recorded first, one after the other. Errors mean what they mean for items, with the batch's retry
   * settings; what fails for good is reported and does not stop the others. It may be called again after a crash.
   */
  compensate?(compensation: unknown, context: CompensationContext<Parameters>): Promise<void>;
  /**
   * At most so many items of this operation run at the same time in one worker process, over all batches, and one more of a tenant
   * that has none. Each is chosen when a slot is free: tenants in turn, of one the batch with the highest priority, and of equal ones
   * the oldest. For few, heavy items: a choice costs a few statements. Its chunks are of one item. A call that ignores its abort signal for two seconds no longer counts.
   * Default: only the lanes of the process and the batch's concurrency limit them.
   */
  readonly slotsPerWorker?: number;
}

export interface ItemHandlerOptions {
  /** class-validator class of an item's payload, checked when the item runs; a wrong payload fails that item for good. */
  payload?: Type<object>;
  /** class-validator class of the batch's parameters, checked at creation. Without one a batch may give none. */
  parameters?: Type<object>;
  /** class-validator class of the filters, checked at creation, or 'any' when `selectItems` checks them itself. */
  filters?: Type<object> | 'any';
  /** Names of parameters that only `selectItems` reads: beside a list of items they would have no effect, and are refused. */
  selection?: readonly string[];
  /**
   * false: its items write no records. Who gives a batch of it `conflictResolution`, `backupStrategy` or (without `compensate`)
   * `rollbackOnFailure` is then warned that these change nothing. Default: true.
   */
  writesRecords?: boolean;
  /** Items side by side when the batch does not say. Default 10. */
  concurrency?: number;
  /**
   * For work that burns processor time or memory: a built module that exports `run(item, context)`, which is called in a thread (see
   * docs/threads.md). `own`: the handler hands its heavy work to {@link Threads} itself. Either lets a batch limit memory and CPU.
   */
  thread?: URL | 'own';
  /** MB of a thread's memory. Default 256. */
  threadMemoryMb?: number;
}

export const ITEM_HANDLER = Symbol('item handler');

export interface ItemHandlerMetadata extends ItemHandlerOptions {
  operation: string;
}

/**
 * Marks a provider class as the handler of one operation.
 * @example
 *   @ItemHandler('resize', { payload: ResizePayload })
 *   class ResizeItemHandler implements ItemHandlerClass<ResizePayload> {
 *     async run(item: Item<ResizePayload>, context: ItemContext) { return { output: await resize(item.payload, context.signal) }; }
 *   }
 */
export const ItemHandler = (operation: string, options: ItemHandlerOptions = {}): ClassDecorator =>
  SetMetadata(ITEM_HANDLER, { operation, ...options } satisfies ItemHandlerMetadata);
