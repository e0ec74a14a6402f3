import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What would undo one item's work, as its handler said with the result; recorded with the outcome. */
@Entity('compensation')
export class CompensationEntity {
  @PrimaryColumn('bigint', { name: 'run_id' }) runId: string;
  /** The order of recording, over all runs. */
  @PrimaryColumn('bigint', { generated: 'identity' }) no: string;
  @Column('integer') seq: number;
  @Column('jsonb') value: unknown;
  /** Tries of the rollback that have failed. */
  @Column('smallint', { default: 0 }) attempts: number;
  /** How often its worker died while it was tried. */
  @Column('smallint', { default: 0 }) crashes: number;
  /** Null while a rollback has not come to it. */
  @Column('text', { nullable: true }) outcome: 'compensated' | 'failed' | null;
  /** Of the last try that failed. */
  @Column('text', { nullable: true }) error: string | null;
}

/** Who runs a batch's compensations: one process at a time. */
@Entity('rollback_turn')
export class RollbackTurnEntity {
  @PrimaryColumn('text', { name: 'batch_id' }) batchId: string;
  @Column('bigint', { default: 1 }) fence: string;
  /** '-infinity' when it was given back. */
  @Column('timestamptz', { name: 'lease_until' }) leaseUntil: Date;
  /** Nobody takes it before: a compensation waits for another try. */
  @Column('timestamptz', { name: 'due_at', default: () => "'-infinity'" }) dueAt: Date;
  /** The one before did not give it back. */
  @Column('boolean', { default: false }) crashed: boolean;
}
