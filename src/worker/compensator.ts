import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import {
  type CompensationEnd,
  endCompensation,
  failCompensations,
  type LeftCompensation,
  nextCompensations,
  noteCrashOfCompensation,
} from '../batches/store/compensations.js';
import {
  claimRollbackTurn,
  type CompensatingBatch,
  giveBackRollbackTurn,
  renewRollbackTurn,
  type RollbackTurn,
  selectCompensatingBatch,
} from '../batches/store/rollback-turn.js';
import { HangingCalls } from '../common/hanging-calls.js';
import { Config } from '../config.js';
import { Database } from '../database/sql.js';
import { handlerLogger } from '../operations/handler-logger.js';
import type { CompensationContext } from '../operations/item-handler.js';
import { ItemHandlerRegistry, type RegisteredHandler } from '../operations/item-handler.registry.js';
import { handlerParameters } from '../operations/parameters.js';
import { isFinal, type ItemFailure, toFailure } from './item-failure.js';
import { retryDelayMs } from './retry-policy.js';

const PAGE = 100;
/** After so long it is another batch's turn. */
const TURN_MS = 5_000;
/** After its abort signal a handler is waited for this long. */
const ABORT_GRACE_MS = 2_000;

/**
 * Undoes what a batch's items did, newest first and one after the other: of each item with a compensation, its handler's `compensate` is
 * called until it succeeds or has used up the batch's tries. What is done is marked before the next one begins, so that another process
 * goes on where this one was; the one in work when a process dies is tried again.
 */
@Injectable()
export class Compensator implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Compensator.name);
  private readonly shutdown = new AbortController();
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly handlers: ItemHandlerRegistry,
    private readonly hanging: HangingCalls,
  ) {}

  beforeApplicationShutdown(): void {
    this.stopped = true;
    setTimeout(() => this.shutdown.abort(new Error('the worker shuts down')), this.config.shutdownGraceMs / 2).unref();
  }

  /** Works a while at the batch's compensations, if its rollback is due and no other process is at it. */
  async compensate(batchId: string): Promise<void> {
    const { pool } = this.database;
    const batch = await selectCompensatingBatch(pool, batchId);
    const registered = batch && this.handlers.get(batch.operation);
    // Another worker may have the handler.
    if (!registered) return;
    const turn = await claimRollbackTurn(pool, batchId, this.config.leaseMs);
    if (!turn) return;
    try {
      if (turn.crashed) await noteCrashOfCompensation(pool, batchId);
      if (registered.handler.compensate) await this.workThrough(batch, registered, turn);
      else await failCompensations(pool, batchId, `the item handler of "${batch.operation}" has no compensate`);
    } finally {
      await giveBackRollbackTurn(pool, turn);
    }
  }

  private async workThrough(batch: CompensatingBatch, registered: RegisteredHandler, turn: RollbackTurn): Promise<void> {
    const until = performance.now() + TURN_MS;
    let before: string | null = null;
    for (;;) {
      const page: LeftCompensation[] = await nextCompensations(this.database.pool, batch.id, before, PAGE);
      if (page.length === 0) return;
      for (const compensation of page) {
        if (this.stopped || performance.now() > until) return;
        if (!(await this.workOne(batch, registered, turn, compensation))) return;
        before = compensation.no;
      }
    }
  }

  /** @returns whether the next one may begin */
  private async workOne(
    batch: CompensatingBatch,
    registered: RegisteredHandler,
    turn: RollbackTurn,
    compensation: LeftCompensation,
  ): Promise<boolean> {
    const failure = await this.tryOnce(batch, registered, turn, compensation);
    // What failed because it was told to stop is not counted.
    if (failure && this.shutdown.signal.aborted) return false;
    const end = endOf(batch, compensation.attempts + 1, failure);
    if (end.outcome === 'failed') {
      this.logger.warn({ batchId: batch.id, seq: compensation.seq, attempts: end.attempts }, 'what an item did could not be undone');
    }
    return (
      (await endCompensation(this.database.pool, turn, compensation, { ...end, leaseMs: this.config.leaseMs })) && end.retryMs === null
    );
  }

  /** @returns why it failed; undefined when it is done */
  private async tryOnce(
    batch: CompensatingBatch,
    registered: RegisteredHandler,
    turn: RollbackTurn,
    compensation: LeftCompensation,
  ): Promise<ItemFailure | undefined> {
    const stop = new AbortController();
    const limitMs = batch.options.timeout;
    const tooLate = new DOMException('time limit exceeded', 'TimeoutError');
    const timer = setTimeout(() => stop.abort(tooLate), limitMs);
    const beat = setInterval(() => void this.renew(turn, stop), this.config.leaseMs / 3);
    const signal = AbortSignal.any([stop.signal, this.shutdown.signal]);
    const ended = new AbortController();
    try {
      const context = contextOf(batch, registered, compensation, signal);
      const call = registered.handler.compensate!(compensation.value, context);
      const onIgnored = (): void => this.countHanging(call, batch.operation, compensation.runId);
      await Promise.race([call, isIgnored(signal, ended.signal, onIgnored)]);
      return undefined;
    } catch (error) {
      return stop.signal.reason === tooLate ? { kind: 'timeout', message: `no result within ${limitMs} ms` } : toFailure(error);
    } finally {
      clearTimeout(timer);
      clearInterval(beat);
      ended.abort();
    }
  }

  private countHanging(call: Promise<void>, operation: string, runId: string): void {
    this.hanging.began(operation, runId);
    const end = (): void => this.hanging.ended(operation, runId);
    call.then(end, end);
  }

  private async renew(turn: RollbackTurn, stop: AbortController): Promise<void> {
    try {
      if (!(await renewRollbackTurn(this.database.pool, turn, this.config.leaseMs)))
        stop.abort(new Error('another process has taken over'));
    } catch (error) {
      this.logger.warn({ err: error, batchId: turn.batchId }, 'the lease of a rollback could not be renewed');
    }
  }
}

/** The same for every try of a compensation, also after a crash. */
function contextOf(
  batch: CompensatingBatch,
  registered: RegisteredHandler,
  { runNo, seq, key, attempts }: LeftCompensation,
  signal: AbortSignal,
): CompensationContext {
  return {
    batchId: batch.id,
    tenant: batch.tenant,
    operation: batch.operation,
    parameters: handlerParameters(registered, batch.parameters),
    logger: handlerLogger(batch.operation, batch.id),
    key,
    attempt: attempts + 1,
    idempotencyKey: `${batch.tenant}:${batch.id}:${runNo}:${seq}:compensation`,
    signal,
  };
}

function endOf({ options }: CompensatingBatch, attempt: number, failure: ItemFailure | undefined): Omit<CompensationEnd, 'leaseMs'> {
  if (!failure) return { attempts: attempt, outcome: 'compensated', error: null, retryMs: null };
  const { message: error, kind, retryAfterMs } = failure;
  if (retryAfterMs !== undefined) return { attempts: attempt - 1, outcome: null, error, retryMs: retryAfterMs };
  const final = isFinal(failure) || (kind === 'timeout' && !options.retryTimeouts) || attempt > options.retryAttempts;
  if (final) return { attempts: attempt, outcome: 'failed', error, retryMs: null };
  return { attempts: attempt, outcome: null, error, retryMs: retryDelayMs(options, attempt) };
}

/** Rejects when a handler has not listened to its signal for too long. */
function isIgnored(signal: AbortSignal, ended: AbortSignal, onIgnored: () => void): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = (): void => {
      onIgnored();
      reject(signal.reason as Error);
    };
    const onAbort = (): void => {
      const timer = setTimeout(giveUp, ABORT_GRACE_MS);
      ended.addEventListener('abort', () => clearTimeout(timer), { once: true });
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true, signal: ended });
  });
}
