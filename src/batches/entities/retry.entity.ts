import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An item that failed and will be tried again, or that its stopped run left undone. Due rows are pooled into full chunks. */
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
  /** The provider that it waits for, which is left alone. */
  @Column('text', { name: 'waits_for', nullable: true }) waitsFor: string | null;
  /** Milliseconds that it was told to wait in a row. */
  @Column('float8', { name: 'waited_ms', default: 0 }) waitedMs: number;
  @Column('timestamptz', { name: 'failed_at', default: () => 'clock_timestamp()' }) failedAt: Date;
}
