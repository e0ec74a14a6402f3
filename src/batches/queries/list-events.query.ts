import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord, BatchEventType, BatchSnapshot } from '../events/batch.events.js';
import { selectBatch } from '../store/lock-batch.js';

/** A batch's event log after a sequence number: what a client that was away has missed. */
export class ListEvents extends Query<BatchEventRecord[]> {
  @IsString() batchId: string;
  /** Default 0: from the beginning. */
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) afterSeq?: number;
  /** Default 100. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;

  caller: Caller;
}

const SELECT_EVENTS: Statement = {
  name: 'select-events',
  text: `
    SELECT e.seq, r.no AS run_no, e.type, e.at, e.data FROM batch_event e JOIN run r ON r.id = e.run_id
    WHERE e.batch_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`,
};

interface EventRow {
  seq: number;
  run_no: number;
  type: BatchEventType;
  at: Date;
  data: BatchSnapshot;
}

@QueryHandler(ListEvents)
export class ListEventsHandler implements IQueryHandler<ListEvents> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, afterSeq, limit, caller }: ListEvents): Promise<BatchEventRecord[]> {
    const { pool } = this.database;
    await selectBatch(pool, caller.tenant, batchId);
    const rows = await run<EventRow>(pool, SELECT_EVENTS, [batchId, afterSeq ?? 0, limit ?? 100]);
    return rows.map(({ seq, run_no, type, at, data }) => ({
      tenant: caller.tenant,
      batchId,
      seq,
      run: run_no,
      type,
      at: at.toISOString(),
      data,
    }));
  }
}
