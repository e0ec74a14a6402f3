import { ApiProperty } from '@nestjs/swagger';
import { AnyJson } from '../common/any-json.js';

/** Why an item failed. */
export class ItemErrorView {
  kind: string;
  message: string;
}

/** One item's outcome as JSON. */
export class OutcomeView {
  /** Position in the batch, from 0. */
  seq: number;
  /** Number of the run that recorded it, from 1. */
  run: number;
  key: string;
  /** `cancelled`: the run left the item undone. In history a later one repeats it; else `error` is what it last ran into. */
  status: 'succeeded' | 'failed' | 'skipped' | 'cancelled';
  @AnyJson() output: unknown;
  error: ItemErrorView | null;
  /** Executions, 1 for success at once. */
  attempts: number;
  durationMs: number | null;
  /** 0 to 1 */
  quality: number | null;
  recordedAt: string;
}

export const ITEM_STATUSES = ['pending', 'running', 'retrying', 'succeeded', 'failed', 'skipped', 'cancelled'] as const;

/** One item as JSON, with its outcome when it has one. */
export class ItemView {
  seq: number;
  key: string;
  @AnyJson() payload: unknown;
  @ApiProperty({ enum: ITEM_STATUSES }) status: (typeof ITEM_STATUSES)[number];
  /** 0 to 100 while running, as its handler reported it. */
  progress: number | null;
  attempts: number;
  error: ItemErrorView | null;
}

/** A payload that an item has or had. */
export class ItemPayloadView {
  /** 0 for what it came with. */
  no: number;
  @AnyJson() payload: unknown;
  /** Who gave it to the item; null for what it came with, and when it is not known who called. */
  editedBy: string | null;
  editedAt: string;
}

/** What became of one item over the runs of its batch. Of very many or large payloads and outcomes the newest. */
export class ItemHistory {
  seq: number;
  key: string;
  /** Oldest first; the last one is what the item is repeated with. */
  payloads: ItemPayloadView[];
  /** Oldest first, by run. */
  outcomes: OutcomeView[];
}

/** An item that failed for good, or that its stopped batch left undone after a failure. */
export interface ItemFailureView {
  seq: number;
  key: string;
  kind: string;
  message: string;
  /** Where it was thrown; null where that is not known or was not asked for, and for a token's bearer. */
  stack: string | null;
  attempts: number;
  recordedAt: string;
}

export interface ItemOutputView {
  seq: number;
  key: string;
  output: unknown;
}
