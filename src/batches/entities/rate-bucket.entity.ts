import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Tokens for starts of items: of one batch, of a tenant's pool that several batches share, or of a tenant. A bucket that is not there is full. */
@Entity('rate_bucket')
export class RateBucketEntity {
  @PrimaryColumn('text') tenant: string;
  @PrimaryColumn('text') scope: 'batch' | 'pool' | 'tenant';
  /** The batch's id, the pool's name, or nothing. */
  @PrimaryColumn('text') name: string;
  /** At the time of `refilledAt`; with parts of a token. */
  @Column('double precision') tokens: number;
  @Column('timestamptz', { name: 'refilled_at', default: () => 'clock_timestamp()' }) refilledAt: Date;
}
