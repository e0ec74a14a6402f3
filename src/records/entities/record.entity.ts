import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What the operations work on: JSON fields under the caller's own key, and optionally a stored file. */
@Entity('record')
export class RecordEntity {
  @PrimaryColumn('text') tenant: string;
  @PrimaryColumn('text') collection: string;
  @PrimaryColumn('text') key: string;
  @Column('jsonb') fields: Record<string, unknown>;
  @Column('uuid', { name: 'file_id', nullable: true }) fileId: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at', default: () => 'now()' }) updatedAt: Date;
  /** The batch that wrote it last; null when that was not a batch. */
  @Column('text', { name: 'written_by', nullable: true }) writtenBy: string | null;
}
