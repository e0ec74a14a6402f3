import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A request that is carried out once within a day, however often it is sent. */
@Entity('idempotency_key')
@Index('idempotency_key_age', ['createdAt'])
export class IdempotencyKeyEntity {
  @PrimaryColumn('text') tenant: string;
  @PrimaryColumn('text') key: string;
  /** Of method, path and body: the same key with another request is a mistake. */
  @Column('bytea') hash: Buffer;
  /** Who carries it out; whoever takes over a key of a dead process has another one. */
  @Column('uuid') token: string;
  /** Renewed while it is carried out; in the past without an answer, its process is presumed dead. */
  @Column('timestamptz', { name: 'claimed_until' }) claimedUntil: Date;
  /** The procedure that made something, and what it gave back: committed together with what was made. */
  @Column('text', { nullable: true }) procedure: string | null;
  @Column('json', { nullable: true }) output: unknown;
  /** What the client was answered, for those who ask again. */
  @Column('json', { nullable: true }) answer: unknown;
  @Column('timestamptz', { name: 'created_at', default: () => 'clock_timestamp()' }) createdAt: Date;
}
