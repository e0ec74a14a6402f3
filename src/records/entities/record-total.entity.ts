import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/**
 * What some statements changed in a collection. The sum over all rows is what the collection has. Triggers of `record` add a row for each
 * statement that writes there.
 */
@Entity('record_total')
@Index('record_total_of_collection', ['tenant', 'collection'])
export class RecordTotalEntity {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text') tenant: string;
  @Column('text') collection: string;
  @Column('bigint') records: string;
  /** Of keys and fields, as text. */
  @Column('bigint') bytes: string;
  /** The transaction that did it, which can tell its own share by that. */
  @Column('bigint', { name: 'written_in', default: () => 'pg_current_xact_id()::text::bigint' }) writtenIn: string;
}
