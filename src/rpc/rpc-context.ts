import type { CreationLimit } from '../access/creation-limit.js';
import type { Caller, Procedures } from '../common/procedure.js';
import type { Idempotency } from '../idempotency/idempotency.js';
import type { BatchFeeds } from './batch-feeds.js';

/** What every procedure of the router is given beside its input. */
export interface RpcContext {
  caller: Caller;
  /** When the caller's token ends, in milliseconds since 1970. */
  expiresAt?: number;
  procedures: Procedures;
  creations: CreationLimit;
  feeds: BatchFeeds;
  /** Counts a subscription of the tenant until the request ends. @throws AppError RATE_LIMITED when it has too many open */
  countSubscription(): void;
  idempotency: Idempotency;
  /** Of the header; a request with one makes one call. */
  idempotencyKey?: string;
  /** Whether the answer is that of an earlier request with the key. */
  replayed: boolean;
}
