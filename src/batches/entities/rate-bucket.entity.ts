import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Tokens for starts of items: of one batch, or of a tenant's pool that several batches share. A bucket that is not there is full. */
@Entity('rate_bucket')
export class RateBucketEntity {
  @PrimaryColumn('text') tenant: string;
  @PrimaryColumn('text') scope: 'batch' | 'pool';
  /** The batch's id, or the pool's name. */
  @PrimaryColumn('text') name: string;
  /** At the time of `refilledAt`; with parts of a token. */
  @Column('double precision') tokens: number;
  @Column('timestamptz', { name: 'refilled_at', default: () => 'clock_timestamp()' }) refilledAt: Date;
}
