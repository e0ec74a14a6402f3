import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** Who measured: a process that worked the batch, or a caller of the service. */
export const METRIC_SOURCES = ['worker', 'caller'] as const;
export type MetricSource = (typeof METRIC_SOURCES)[number];

/** Figures of a batch at one moment. The newest thousand of each source are kept. */
@Entity('batch_metric')
@Index('batch_metric_of_batch', ['batchId', 'source', 'id'])
export class BatchMetricEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text', { name: 'batch_id' }) batchId: string;
  @Column('text') source: MetricSource;
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) at: Date;
  @Column('json') data: Record<string, unknown>;
}
