import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchView } from '../batch.view.js';
import { type BatchRow, SELECT_BATCHES, toBatchView } from './select-batches.js';

const SELECT_BATCHES_OF_RUNS: Statement = { name: 'select-batches-of-runs', text: `${SELECT_BATCHES} WHERE r.id = ANY ($1::bigint[])` };

export interface BatchOfRun {
  view: BatchView;
  /** Finished items that earlier runs of the batch have counted. */
  processedBefore: number;
}

/** The batches whose current runs these are, by run. */
export async function selectBatchesOfRuns(connection: Connection, runIds: string[]): Promise<Map<string, BatchOfRun>> {
  const rows = await run<BatchRow>(connection, SELECT_BATCHES_OF_RUNS, [runIds]);
  return new Map(rows.map((row) => [row.run_id, { view: toBatchView(row), processedBefore: row.processed_before }]));
}
