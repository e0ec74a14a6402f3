import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An item that failed and will be tried again. Due rows are pooled into full chunks. */
@Entity('retry')
export class RetryEntity {
  @PrimaryColumn('bigint', { name: 'run_id' }) runId: string;
  @PrimaryColumn('integer') seq: number;
  @Column('timestamptz', { name: 'due_at' }) dueAt: Date;
  /** The coming try, 2 for the first retry. */
  @Column('smallint') attempt: number;
  @Column('text') key: string;
  @Column('json', { nullable: true }) payload: unknown;
  @Column('text', { name: 'error_kind', nullable: true }) errorKind: string | null;
  @Column('text', { nullable: true }) error: string | null;
}
