import { Column, Entity, PrimaryColumn } from 'typeorm';

/** 0 pending, 1 claimed by a lane, 2 done, 3 staged by an intake that is not accepted yet. */
export const CHUNK_STATE = { pending: 0, claimed: 1, done: 2, staged: 3 } as const;

/** A range of a run's items, the unit of claiming and of database traffic. */
@Entity('chunk')
export class ChunkEntity {
  @PrimaryColumn('bigint', { name: 'run_id' }) runId: string;
  /** Position of its first item; negative for a chunk made of items that are tried again. */
  @PrimaryColumn('bigint') no: string;
  @Column('integer') size: number;
  @Column('smallint') state: number;
  /** The lane that claimed it. */
  @Column('smallint', { nullable: true }) lane: number | null;
  /** Indexes of items that are recorded or deferred already, when it was not finished in one go. */
  @Column('smallint', { array: true, default: '{}' }) settled: number[];
  /** Times a worker died while it held this chunk. */
  @Column('smallint', { default: 0 }) crashes: number;
  /** The one item that runs now, while a chunk that saw a crash is worked item by item. */
  @Column('smallint', { nullable: true }) suspect: number | null;
  /** Suspects of earlier crashes; an item named twice is quarantined. */
  @Column('smallint', { array: true, default: '{}' }) suspects: number[];
  @Column('bigint', { nullable: true }) intake: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}

/** A chunk's inputs packed in one value: a JSON array of `{ key?, payload? }` (retries also `seq` and `attempt`). */
@Entity('chunk_items')
export class ChunkItemsEntity {
  @PrimaryColumn('bigint', { name: 'run_id' }) runId: string;
  @PrimaryColumn('bigint') no: string;
  @Column('text') items: string;
  /** Which keys the items may have, see `summaryOf`; null for chunks in which nobody looks for a key, or that are older than summaries. */
  @Column('bytea', { nullable: true }) keys: Buffer | null;
}
