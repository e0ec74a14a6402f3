import { Column, Entity, PrimaryColumn } from 'typeorm';

/** 4: it had no outcome when its run ended, and a later run repeats it; such a row is always history. */
export const OUTCOME_STATUS = { succeeded: 1, failed: 2, skipped: 3, cancelled: 4 } as const;

/**
 * What an item ended as: one row an item of a run, inserted in bulk. Cancelled items have none: they never started, and get one only as
 * history when a later run repeats them. Nothing of it changes, but that a later run may repeat the item: then this one is history,
 * and the later one counts.
 */
@Entity('outcome')
export class OutcomeEntity {
  @PrimaryColumn('bigint', { name: 'run_id' }) runId: string;
  @PrimaryColumn('integer') seq: number;
  @Column('smallint') status: number;
  @Column('smallint') attempts: number;
  @Column('double precision', { name: 'duration_ms', nullable: true }) durationMs: number | null;
  @Column('double precision', { nullable: true }) quality: number | null;
  @Column('text') key: string;
  @Column('text', { name: 'error_kind', nullable: true }) errorKind: string | null;
  @Column('text', { nullable: true }) error: string | null;
  /** Where a handler's error was thrown, of the first failures of a worker's turn. */
  @Column('text', { name: 'error_stack', nullable: true }) errorStack: string | null;
  @Column('json', { nullable: true }) output: unknown;
  @Column('timestamptz', { name: 'recorded_at', default: () => 'now()' }) recordedAt: Date;
  /** The later run that repeats the item; null while this outcome counts. */
  @Column('bigint', { name: 'repeated_in', nullable: true }) repeatedIn: string | null;
}
