import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A process that works items, as it last said itself. */
@Entity('worker')
export class WorkerEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { array: true }) operations: string[];
  /** Those of them of which it works as many items as it may. */
  @Column('text', { name: 'full_operations', array: true }) fullOperations: string[];
  /** Those of which too many calls hang: it starts no item of them. */
  @Column('text', { name: 'hanging_operations', array: true, default: '{}' }) hangingOperations: string[];
  /** Tenants that hold as many of its lanes as they may; the first hundred. */
  @Column('text', { name: 'full_tenants', array: true, default: '{}' }) fullTenants: string[];
  @Column('integer') lanes: number;
  /** Lanes it would take now. */
  @Column('integer', { name: 'free_lanes' }) freeLanes: number;
  /** Why it begins no work, when the database has no space for it. */
  @Column('text', { name: 'no_space', nullable: true }) noSpace: string | null;
  @Column('timestamptz', { name: 'seen_at' }) seenAt: Date;
}
