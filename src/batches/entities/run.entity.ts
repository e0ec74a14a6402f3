import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ReasonKind, RunStatus } from '../batch.state.js';

/** One pass over a batch's items, or over those that are repeated. A finished run never changes (a trigger sees to it). */
@Entity('run')
export class RunEntity {
  @PrimaryColumn('bigint') id: string;
  @Column('text', { name: 'batch_id' }) batchId: string;
  /** From 1 within the batch. */
  @Column('integer') no: number;
  @Column('text') status: RunStatus;
  /** What a stopping run will end as. */
  @Column('text', { name: 'ends_as', nullable: true }) endsAs: RunStatus | null;
  @Column('text', { nullable: true }) reason: string | null;
  /** The rule by which the service itself paused or stopped it; null when somebody did. */
  @Column('text', { name: 'reason_kind', nullable: true }) reasonKind: ReasonKind | null;
  /** No more items will come. */
  @Column('boolean') sealed: boolean;
  /** Its own items; those of the batch are these and the four carried counts. */
  @Column('integer', { default: 0 }) total: number;
  /** The next item's position. It may run ahead of `total`: a refused intake leaves a gap. */
  @Column('integer', { name: 'next_seq', default: 0 }) nextSeq: number;
  /** Priority as a number, 1 for critical. */
  @Column('smallint') rank: number;
  /** The four counts are written once, at the end; until then the lanes hold them. */
  @Column('integer', { default: 0 }) succeeded: number;
  @Column('integer', { default: 0 }) failed: number;
  @Column('integer', { default: 0 }) skipped: number;
  @Column('integer', { default: 0 }) cancelled: number;
  /** How the items ended in earlier runs that this one does not touch. */
  @Column('integer', { name: 'carried_succeeded', default: 0 }) carriedSucceeded: number;
  @Column('integer', { name: 'carried_failed', default: 0 }) carriedFailed: number;
  @Column('integer', { name: 'carried_skipped', default: 0 }) carriedSkipped: number;
  @Column('integer', { name: 'carried_cancelled', default: 0 }) carriedCancelled: number;
  /** Durations, quality and errors of the same, see tally.ts. */
  @Column('json', { name: 'carried_tally', nullable: true }) carriedTally: unknown;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'started_at', nullable: true }) startedAt: Date | null;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt: Date | null;
  @Column('timestamptz', { name: 'deadline_at', nullable: true }) deadlineAt: Date | null;
  /** When its last progress event was written. */
  @Column('timestamptz', { name: 'progress_at', default: () => "'-infinity'" }) progressAt: Date;
  /** No lane of it is taken before: its rate limit has no tokens until then. */
  @Column('timestamptz', { name: 'held_until', default: () => "'-infinity'" }) heldUntil: Date;
  /** Grows when the batch's settings change while it runs; a worker that holds an older one reads them anew. */
  @Column('integer', { default: 0 }) revision: number;
  /** Items from this position on wait for the canary before it; null when there is none, or it has passed. */
  @Column('integer', { nullable: true }) gate: number | null;
  /** The run's counts when somebody last resumed it: a failure threshold looks at what came after. */
  @Column('integer', { name: 'judged_failed', default: 0 }) judgedFailed: number;
  @Column('integer', { name: 'judged_processed', default: 0 }) judgedProcessed: number;
}
