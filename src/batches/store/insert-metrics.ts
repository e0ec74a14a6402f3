import { type Connection, run, type Statement } from '../../database/sql.js';
import type { MetricSource } from '../entities/batch-metric.entity.js';

/** Records of one source that a batch keeps; the oldest go first. */
export const MAX_METRICS = 1_000;

/** The key share lock lets a batch that is just being deleted go first: nothing is written for it afterwards. */
const INSERT_METRICS: Statement = {
  name: 'insert-metrics',
  text: `
    INSERT INTO batch_metric (batch_id, source, data)
    SELECT b.id, $1, m.data::json FROM unnest($2::text[], $3::text[]) AS m (batch_id, data)
    JOIN batch b ON b.id = m.batch_id FOR KEY SHARE OF b`,
};

/** What another process, which works the same batches, is about to remove is left to it: in another order each would wait for the other. */
const TRIM_METRICS: Statement = {
  name: 'trim-metrics',
  text: `
    DELETE FROM batch_metric WHERE ctid = ANY (ARRAY(
      SELECT m.ctid FROM batch_metric m, unnest($2::text[]) AS trimmed (batch_id)
      WHERE m.batch_id = trimmed.batch_id AND m.source = $1 AND m.id <= (
        SELECT id FROM batch_metric o WHERE o.batch_id = trimmed.batch_id AND o.source = $1
        ORDER BY id DESC OFFSET ${MAX_METRICS} LIMIT 1
      )
      FOR UPDATE OF m SKIP LOCKED
    ))`,
};

export interface NewMetric {
  batchId: string;
  data: object;
}

/** Keeps figures of batches, at most one record of each, with two statements for all of them. */
export async function insertMetrics(connection: Connection, source: MetricSource, metrics: NewMetric[]): Promise<void> {
  const batchIds = metrics.map(({ batchId }) => batchId);
  await run(connection, INSERT_METRICS, [source, batchIds, metrics.map(({ data }) => JSON.stringify(data))]);
  await run(connection, TRIM_METRICS, [source, batchIds]);
}
