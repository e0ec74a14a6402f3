import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Dialect } from '../../common/procedure.js';
import type { BatchOptions } from '../batch.options.js';
import type { RollbackView } from '../rollback.view.js';

/** What a caller submitted: an operation, its settings, and whose it is. Its state is that of its current run. */
@Entity('batch')
export class BatchEntity {
  @PrimaryColumn('text') id: string;
  @Column('text') tenant: string;
  @Column('text') dialect: Dialect;
  @Column('text') operation: string;
  @Column('text', { nullable: true }) name: string | null;
  @Column('text', { nullable: true }) description: string | null;
  @Column('jsonb') filters: Record<string, unknown>;
  @Column('jsonb') parameters: Record<string, unknown>;
  @Column('jsonb') options: BatchOptions;
  /** Results come from outside instead of from an item handler. */
  @Column('boolean') external: boolean;
  /** What its creator should know of it. */
  @Column('text', { array: true, default: [] }) warnings: string[];
  @Column('text', { name: 'created_by', nullable: true }) createdBy: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  /** The current run. */
  @Column('bigint', { name: 'run_id' }) runId: string;
  /** Number of the newest event. */
  @Column('integer', { name: 'event_seq', default: 0 }) eventSeq: number;
  /** How a run's changes to records are taken back. */
  @Column('jsonb', { nullable: true }) rollback: (RollbackView & { runId: string }) | null;
}
