import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * One of a run's concurrent streams of chunks, and the unit of exclusive work: a worker holds a lane for a lease, and every
 * write of results carries the lane's fence. The lane's own counts and tally are the run's live figures: one writer, no shared row.
 */
@Entity('lane')
export class LaneEntity {
  @PrimaryColumn('bigint', { name: 'run_id' }) runId: string;
  @PrimaryColumn('smallint') no: number;
  /** Items it works side by side; the widths of a run's lanes add up to the batch's concurrency. 0: not used any more, but counted. */
  @Column('smallint') width: number;
  /** Grows with every claim. A write with an older fence changes nothing. */
  @Column('integer', { default: 0 }) fence: number;
  /** `-infinity` when nobody holds it; in the past without that, its holder is presumed dead. */
  @Column('timestamptz', { name: 'lease_until', default: () => "'-infinity'" }) leaseUntil: Date;
  /** When it was claimed last. */
  @Column('timestamptz', { name: 'claimed_at', default: () => "'-infinity'" }) claimedAt: Date;
  /** Of its width, what the limits over batches left for the claim: what it counts for in them. */
  @Column('smallint', { default: 0 }) granted: number;
  /** Items at work when it was written last, where fewer may be than it holds and is wide; null: as many as that. */
  @Column('smallint', { nullable: true }) busy: number | null;
  @Column('integer', { default: 0 }) succeeded: number;
  @Column('integer', { default: 0 }) failed: number;
  @Column('integer', { default: 0 }) skipped: number;
  /** Durations, quality and errors of its outcomes, see tally.ts. */
  @Column('json', { nullable: true }) tally: unknown;
  /** Percent of items in flight that report it, by position. */
  @Column('json', { name: 'item_progress', nullable: true }) itemProgress: Record<string, number> | null;
}
