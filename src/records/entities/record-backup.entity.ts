import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The last version of a record that its batch did not write. */
@Entity('record_backup')
export class RecordBackupEntity {
  @PrimaryColumn('text', { name: 'batch_id' }) batchId: string;
  @PrimaryColumn('text') collection: string;
  @PrimaryColumn('text') key: string;
  @Column('text') tenant: string;
  /** Null when the record was not there. */
  @Column('jsonb', { nullable: true }) fields: Record<string, unknown> | null;
  @Column('uuid', { name: 'file_id', nullable: true }) fileId: string | null;
  @Column('timestamptz', { name: 'updated_at', nullable: true }) updatedAt: Date | null;
  @Column('text', { name: 'written_by', nullable: true }) writtenBy: string | null;
  /** The record's `updated_at` as the batch wrote it last: while the record still has it, nobody else has changed it. */
  @Column('timestamptz') version: Date;
  /** What a rollback did with it; null while it has not come to it. */
  @Column('text', { nullable: true }) outcome: 'restored' | 'removed' | 'left alone' | null;
}
