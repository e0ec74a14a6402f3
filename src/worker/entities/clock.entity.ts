import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row: the latest time that the database's clock was seen to show. */
@Entity('clock')
export class ClockEntity {
  /** 1. */
  @PrimaryColumn('smallint', { default: 1 }) id: number;
  @Column('timestamptz', { name: 'seen_at' }) seenAt: Date;
}
