import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A stored file. Its bytes lie under a path made from `id`; the name is only what the caller called it. */
@Entity('file')
export class FileEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') tenant: string;
  @Column('text') name: string;
  @Column('text', { name: 'media_type' }) mediaType: string;
  /** Bytes. A bigint, which the driver hands over as text. */
  @Column('bigint') size: string;
  @Column('text') sha256: string;
  /** The upload that it came with; it goes when that upload's batch does. */
  @Column('uuid', { name: 'upload_id', nullable: true }) uploadId: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}
