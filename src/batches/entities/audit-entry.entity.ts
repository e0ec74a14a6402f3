import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

export const AUDIT_ACTIONS = [
  'start',
  'update',
  'pause',
  'resume',
  'cancel',
  'add items',
  'seal',
  'fail',
  'time out',
  'roll back',
  'pass canary',
  'retry',
  'edit item',
  'restore',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Somebody's hand, or the service's own, on a batch. */
@Entity('audit_entry')
@Index('audit_entry_of_batch', ['batchId', 'id'])
export class AuditEntryEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text', { name: 'batch_id' }) batchId: string;
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) at: Date;
  /** The caller's subject; null for callers without one, and `service` for what the service did by a rule of the batch. */
  @Column('text', { nullable: true }) by: string | null;
  @Column('text') action: AuditAction;
  /** What changed, from what to what, or why. */
  @Column('jsonb') details: Record<string, unknown>;
}
