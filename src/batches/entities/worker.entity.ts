import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A process that works items, as it last told. One that is silent for a while is gone. */
@Entity('worker')
export class WorkerEntity {
  @PrimaryColumn('text') id: string;
  /** Those it has an item handler for. */
  @Column('text', { array: true }) operations: string[];
  @Column('integer') lanes: number;
  @Column('integer', { name: 'busy_lanes' }) busyLanes: number;
  @Column('timestamptz', { name: 'started_at', default: () => 'clock_timestamp()' }) startedAt: Date;
  @Column('timestamptz', { name: 'seen_at', default: () => 'clock_timestamp()' }) seenAt: Date;
}
