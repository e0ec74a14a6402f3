import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/**
 * What some of a tenant's batches that have ended add up to. The sum over all rows is what all of them do: a batch that ends adds a row, one
 * that is repeated or deleted a row that takes it back.
 */
@Entity('ended_total')
@Index('ended_total_of_tenant', ['tenant'])
export class EndedTotalEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text') tenant: string;
  @Column('text') dialect: string;
  @Column('text') operation: string;
  @Column('text') status: string;
  @Column('text') priority: string;
  @Column('bigint') batches: string;
  /** Items, also of runs before the last one. */
  @Column('bigint') total: string;
  @Column('bigint') succeeded: string;
  @Column('bigint') failed: string;
  @Column('bigint') skipped: string;
  /** Batches that were started. */
  @Column('bigint') timed: string;
  /** Microseconds that their last runs took, and the items that these finished. */
  @Column('bigint', { name: 'duration_us' }) durationUs: string;
  @Column('bigint') processed: string;
}
