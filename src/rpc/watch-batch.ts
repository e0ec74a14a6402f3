import { tracked, type TrackedEnvelope } from '@trpc/server';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { type BatchEventRecord, isEnd } from '../batches/events/batch.events.js';
import { GetBatch } from '../batches/queries/get-batch.query.js';
import { ListEvents } from '../batches/queries/list-events.query.js';
import { AppError } from '../common/app-error.js';
import type { BatchFeed } from './batch-feed.js';
import type { RpcContext } from './rpc-context.js';

export class WatchBatchRequest {
  @IsString() batchId: string;
  /** The `seq` of the last event that is known already; default: none is. A client that connects again gives it by itself. */
  @IsOptional() @Transform(({ value }: { value: unknown }) => fromText(value)) @IsInt() @Min(0) @Max(2_000_000_000) lastEventId?:
    number | string;
  /** true: go on after the end, for a batch that may be run again. */
  @IsOptional() @IsBoolean() follow?: boolean;
}

/** In an address and a header it is text. */
function fromText(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
}

const PAGE = 100;
/** What a lost message, of another process say, left unheard is found in the log after this. */
const MAX_SILENCE_MS = 5_000;
const RETRY_MS = 1_000;

/**
 * Every event once and in order: the feed is opened before the log is read, so that nothing falls between the two, and a gap in
 * the feed is filled from the log. It is read as fast as the client reads. Ends after the terminal event of the batch's current run.
 */
export async function* watchBatch(
  { batchId, lastEventId, follow }: WatchBatchRequest,
  context: RpcContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrackedEnvelope<BatchEventRecord>, void> {
  const feed = context.feeds.open(batchId);
  let seq = Number(lastEventId ?? 0);
  try {
    while (!signal?.aborted) {
      const missed = await context.procedures.call(ListEvents, { batchId, afterSeq: seq, limit: PAGE }, context.caller);
      for (const record of missed) yield tracked(String((seq = record.seq)), record);
      if (missed.length === PAGE) continue;
      if (!follow && (await isOver(batchId, seq, context))) return;
      for await (const record of live(feed, seq, context, signal)) yield tracked(String((seq = record.seq)), record);
    }
  } finally {
    feed.close();
  }
}

/** Events as they are heard, until one is missing, or may be the last. */
async function* live(feed: BatchFeed, after: number, { expiresAt = Infinity }: RpcContext, signal?: AbortSignal) {
  for (let seq = after + 1; ; seq += 1) {
    const record = await feed.next(seq, Math.min(MAX_SILENCE_MS, Math.max(0, expiresAt - Date.now())), signal);
    // Nobody is left to be told of what follows.
    if (signal?.aborted) return;
    if (Date.now() >= expiresAt) throw new AppError('UNAUTHORIZED', 'the token has expired; subscribe again with a new one');
    // The client connects again, and goes on where it was.
    if (feed.ended) throw new AppError('UNAVAILABLE', 'the service is shutting down', { details: { retryAfterMs: RETRY_MS } });
    if (!record) return;
    yield record;
    if (isEnd(record)) return;
  }
}

/** Whether the batch's current run has ended and its last event is told. */
async function isOver(batchId: string, seq: number, { procedures, caller }: RpcContext): Promise<boolean> {
  const { endedAt, lastEventSeq } = await procedures.call(GetBatch, { batchId }, caller);
  return endedAt !== null && lastEventSeq <= seq;
}
