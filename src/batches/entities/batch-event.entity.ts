import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { BatchEventType, BatchSnapshot } from '../events/batch.events.js';

/** A batch's event log, numbered from 1 without a gap, written in the transaction that made the event true. */
@Entity('batch_event')
export class BatchEventEntity {
  @PrimaryColumn('text', { name: 'batch_id' }) batchId: string;
  @PrimaryColumn('integer') seq: number;
  @Column('bigint', { name: 'run_id' }) runId: string;
  @Column('text') type: BatchEventType;
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) at: Date;
  @Column('json') data: BatchSnapshot;
}
