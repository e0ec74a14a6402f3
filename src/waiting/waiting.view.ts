import type { BatchView } from '../batches/batch.view.js';
import type { ItemView } from '../batches/item.view.js';

export type GateKind =
  | 'not-started'
  | 'paused'
  | 'failure-threshold'
  | 'canary'
  | 'stopping'
  | 'external-results'
  | 'no-items'
  | 'no-worker'
  | 'no-space'
  | 'workers-busy'
  | 'handler-hangs'
  | 'concurrency-limit'
  | 'rate-limit'
  | 'concurrency'
  | 'ramp-up'
  | 'retry'
  | 'circuit-breaker'
  | 'items-before'
  | 'rollback';

/** What keeps items from starting. Times are ISO 8601. */
export class Gate {
  /** See docs/control.md. */
  gate: GateKind;
  /** What it is, in a sentence, and what to do when it takes somebody to open it. */
  message: string;
  /** The items it holds; null: all that wait. More than ten thousand retries count as ten thousand. */
  items: number | null;
  /** Who closed it: a caller's subject, or `service` by a rule of the batch; null when nobody did, or nobody knows. */
  by: string | null;
  /** Since when, where that is known. */
  since: string | null;
  /** When it opens by itself; null: when somebody opens it, or when other items have ended. */
  until: string | null;
}

/** Why a batch's items wait. */
export class Waiting {
  batchId: string;
  run: number;
  status: BatchView['status'];
  /** Items that run. */
  running: number;
  /** Items that do not, and have not ended. */
  waiting: number;
  /** All that are shut. Empty: nothing is in the way. */
  gates: Gate[];
  /** When the next item may start, if nothing comes between; null: nobody can tell, or there is none. */
  canMoveAt: string | null;
}

/** Why one item waits. */
export class ItemWaiting {
  seq: number;
  key: string;
  status: ItemView['status'];
  /** Executions that have failed. */
  attempts: number;
  /** Those that are shut for this item. Empty: it runs or has ended, or nothing is in the way. */
  gates: Gate[];
  /** When it may start, if nothing comes between; null: nobody can tell, or it does not wait. */
  canMoveAt: string | null;
}
