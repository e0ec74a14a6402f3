import type { Caller } from '../../src/common/procedure.js';
import { countEnded } from '../../src/batches/store/ended-totals.js';
import type { Engine } from './engine.js';

/** A batch as its original was, of a tenant of its own. */
export interface Copy {
  id: string;
  runId: string;
  caller: Caller;
}

const OF_THE_RUN = ['lane', 'chunk', 'chunk_items', 'outcome', 'external_result'];
const COPY_PARTS = OF_THE_RUN.map(
  (table) => `${table}_copies AS (
    INSERT INTO ${table} SELECT (jsonb_populate_record(t, jsonb_build_object('run_id', c.run_id))).*
    FROM ${table} t, copies c WHERE t.run_id = (SELECT run_id FROM original))`,
);

const COPY_IF_ENDED = `
  SELECT r.*, c.id AS tenant, b.dialect, b.operation, b.options FROM copies c, batch b JOIN run r ON r.id = b.run_id
  WHERE b.id = $1 AND r.ended_at IS NOT NULL`;

/** All in one statement: thousands of batches to race with would take minutes to create one by one. */
const COPY_BATCH = `
  WITH original AS (SELECT run_id FROM batch WHERE id = $1),
  copies AS MATERIALIZED (
    SELECT $1 || '-' || n.run_id AS id, n.run_id FROM (SELECT nextval('run_id') AS run_id FROM generate_series(1, $2::int)) n
  ), batches AS (
    INSERT INTO batch SELECT (jsonb_populate_record(t, jsonb_build_object('id', c.id, 'run_id', c.run_id, 'tenant', c.id))).*
    FROM batch t, copies c WHERE t.id = $1
  ), runs AS (
    INSERT INTO run SELECT (jsonb_populate_record(t, jsonb_build_object('id', c.run_id, 'batch_id', c.id))).*
    FROM run t, copies c WHERE t.id = (SELECT run_id FROM original)
  ), events AS (
    INSERT INTO batch_event SELECT (jsonb_populate_record(t, jsonb_build_object('batch_id', c.id, 'run_id', c.run_id))).*
    FROM batch_event t, copies c WHERE t.batch_id = $1
  ), counted AS (${countEnded(1, COPY_IF_ENDED)}), ${COPY_PARTS.join(', ')}
  SELECT id, run_id FROM copies`;

/** @param batchId a batch in its first run */
export async function copyBatch(engine: Engine, batchId: string, count: number): Promise<Copy[]> {
  const rows = await engine.sql<{ id: string; run_id: string }>(COPY_BATCH, [batchId, count]);
  return rows.map(({ id, run_id: runId }) => ({ id, runId, caller: { tenant: id } }));
}
