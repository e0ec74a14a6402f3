import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A payload that an item of an ended batch was given. The newest one is what it is repeated with. */
@Entity('item_edit')
export class ItemEditEntity {
  @PrimaryColumn('text', { name: 'batch_id' }) batchId: string;
  @PrimaryColumn('integer') seq: number;
  /** From 1 for each item; what it came with, in its chunk, is 0. */
  @PrimaryColumn('integer') no: number;
  @Column('json') payload: unknown;
  @Column('text', { name: 'edited_by', nullable: true }) editedBy: string | null;
  @Column('timestamptz', { name: 'edited_at', default: () => 'clock_timestamp()' }) editedAt: Date;
}
