import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { ArrayMaxSize, IsArray, IsInt, IsString } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { ItemOutputView } from '../item.view.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { selectBatch, selectRunIds } from '../store/lock-batch.js';

const MAX_BYTES = 16_000_000;

/** What the succeeded ones of the items at these positions gave. Ends after about 16 MB. */
export class FindOutputs extends Query<ItemOutputView[]> {
  @IsString() batchId: string;
  @IsArray() @ArrayMaxSize(1_000) @IsInt({ each: true }) seqs: number[];

  caller: Caller;
}

const SELECT_OUTPUTS: Statement = {
  name: 'select-outputs',
  text: `
    SELECT seq, key, output FROM (
      SELECT o.*, sum(size) OVER (ORDER BY seq) - size AS before FROM (
        SELECT seq, key, output, coalesce(octet_length(output::text), 0) AS size FROM outcome
        WHERE run_id = ANY ($1::bigint[]) AND seq = ANY ($2::int[]) AND status = ${OUTCOME_STATUS.succeeded} AND repeated_in IS NULL
      ) o
    ) page WHERE before < ${MAX_BYTES} ORDER BY seq`,
};

@QueryHandler(FindOutputs)
export class FindOutputsHandler implements IQueryHandler<FindOutputs> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, seqs, caller }: FindOutputs): Promise<ItemOutputView[]> {
    const batch = await selectBatch(this.database.pool, caller.tenant, batchId);
    return run<ItemOutputView>(this.database.pool, SELECT_OUTPUTS, [await selectRunIds(this.database.pool, batch), seqs]);
  }
}
