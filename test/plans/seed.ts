import { createHash } from 'node:crypto';
import type { BatchOptions } from '../../src/batches/batch.options.js';
import { countEnded, foldEndedTotals } from '../../src/batches/store/ended-totals.js';
import { Tally } from '../../src/batches/tally.js';
import type { Connection } from '../../src/database/sql.js';

/** Batches by number; their first run's id is the same number. Those above `ended` are under way. */
export const SIZES = { batches: 20_000, ended: 19_850, running: 19_940, paused: 19_960, pending: 19_985 };

/** A running batch of 80,000 items, half of them done, and an ended one of 6,000 whose failed items were repeated. */
export const LARGE = 19_900;
export const REPEATED = 10_050;
const LARGE_CHUNKS = 20_000;
const REPEATED_CHUNKS = 2_000;

/** Others of the tenant acme; the careful one has a failure threshold. */
export const CAREFUL = 19_860;
export const EXTERNAL = 19_880;
export const PAUSED = 19_950;
export const ENDING = 19_990;
export const ENDED = 10_040;
export const CANCELLED = 10_020;
export const SMALL_REPEATED = 10_150;
export const TO_UNDO = 10_000;

/** Ids are random, as those of the service are: near in time is not near in the index. */
export function batchId(n: number): string {
  return createHash('md5')
    .update(String(n))
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Fills the database with what a service of some tenants holds after a month. Everything follows from row numbers: no plan differs by chance. */
export async function fillDatabase(connection: Connection, options: BatchOptions): Promise<void> {
  const statements = [...QUIET, ...batches(options), ...WORK, ...RESULTS, ...LOGS, ...RECORDS, ...GUARDS, countEnded(1, ENDED_RUNS)];
  for (const statement of statements) await connection.query(statement);
  await foldEndedTotals(connection);
}

const ID = 'md5(n::text)::uuid::text';
const OF_ACME = `n % 250 = 0 OR (n > ${SIZES.ended} AND n % 10 = 0) OR n IN (${[REPEATED, SMALL_REPEATED, ENDED, CANCELLED].join(', ')})`;
const TENANT = `CASE WHEN ${OF_ACME} THEN 'acme' ELSE 'tenant-' || n % 40 END`;
const COLLECTIONS = `CASE WHEN n % 10 = 0 THEN 'acme' ELSE 'tenant-' || n % 40 END, 'letters-' || n % 3`;
const ALL = `generate_series(1, ${SIZES.batches}) n`;
const OF_ENDED = `generate_series(1, ${SIZES.ended}) n`;
const AT = `now() - (${SIZES.batches} - n) * interval '2 minutes'`;
const HAS_REPEAT = 'n % 100 = 50';
const IS_EXTERNAL = 'n % 25 = 5';

const ENDED_RUNS = `
  SELECT r.*, b.tenant, b.dialect, b.operation, b.options FROM batch b JOIN run r ON r.id = b.run_id WHERE r.ended_at IS NOT NULL`;

/** Statistics gathered meanwhile, of a part of the rows, would make other plans. */
const QUIET = [
  `DO $$ DECLARE name text; BEGIN
     FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
       EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', name);
     END LOOP;
   END $$`,
  'ALTER TABLE batch_event DISABLE TRIGGER run_has_ended',
];

const GUARDS = [
  'ALTER TABLE batch_event ENABLE TRIGGER run_has_ended',
  `SELECT setval('run_id', 100000), setval('intake_id', 100000), setval('retry_chunk_no', 1000)`,
];

function batches(options: BatchOptions): string[] {
  return [
    `INSERT INTO batch (id, tenant, dialect, operation, name, filters, parameters, options, external, created_by, created_at, run_id,
       event_seq, rollback)
     SELECT ${ID}, ${TENANT}, (ARRAY['native', 'erp', 'annotations', 'uploads', 'batch-service', 'documents'])[n % 6 + 1],
       (ARRAY['noop', 'import', 'annotate'])[n % 3 + 1], 'batch number ' || n, '{}',
       CASE WHEN n % 6 = 3 THEN jsonb_build_object('uploadId', md5('upload' || n)::uuid) ELSE '{}' END,
       '${JSON.stringify(options)}'::jsonb || CASE n WHEN ${CAREFUL} THEN '{"failureThreshold":{"count":1}}' ELSE '{}' END::jsonb, ${IS_EXTERNAL}, 'user-' || n % 50, ${AT},
       CASE WHEN ${HAS_REPEAT} AND n <= ${SIZES.ended} THEN 30000 + n ELSE n END, 5,
       CASE WHEN n % 4 = 0 AND n <= ${SIZES.ended} THEN jsonb_build_object('status', CASE WHEN n % 1000 = 0 THEN 'due' ELSE 'done' END, 'runId', n,
         'compensated', 0, 'compensationsFailed', 0, 'restored', 0, 'removed', 0, 'leftAlone', 0, 'at', now()) END
     FROM ${ALL}`,
    `INSERT INTO run (id, batch_id, no, status, ends_as, sealed, total, next_seq, rank, succeeded, failed, skipped, cancelled, created_at,
       started_at, ended_at, deadline_at)
     SELECT n, ${ID}, 1, s.status, CASE s.status WHEN 'stopping' THEN 'timed_out' END, n % 7 > 0, s.total, s.total, n % 4 + 1,
       CASE s.status WHEN 'cancelled' THEN 4 WHEN 'failed' THEN 0 ELSE s.total * 8 / 10 END, CASE s.status WHEN 'failed' THEN 9 ELSE s.total / 10 END,
       CASE s.status WHEN 'cancelled' THEN 0 ELSE s.total / 10 END, CASE s.status WHEN 'cancelled' THEN 5 ELSE 0 END,
       ${AT}, ${AT}, CASE WHEN n <= ${SIZES.ended} THEN ${AT} + interval '1 minute' END, CASE WHEN n % 5 = 0 THEN ${AT} + interval '2 days' END
     FROM ${ALL}, LATERAL (SELECT
       CASE n WHEN ${LARGE} THEN ${4 * LARGE_CHUNKS} WHEN ${REPEATED} THEN ${3 * REPEATED_CHUNKS} WHEN ${EXTERNAL} THEN 25 ELSE 12 END AS total,
       CASE WHEN n > ${SIZES.pending} THEN 'stopping' WHEN n > ${SIZES.paused} THEN 'pending' WHEN n > ${SIZES.running} THEN 'paused'
         WHEN n > ${SIZES.ended} THEN 'running' WHEN n % 20 = 7 THEN 'failed' WHEN n % 40 = 20 THEN 'cancelled' ELSE 'completed' END AS status) s`,
    `INSERT INTO run (id, batch_id, no, status, sealed, total, rank, succeeded, carried_succeeded, carried_failed,
       carried_skipped, created_at, started_at, ended_at)
     SELECT 30000 + n, ${ID}, 2, 'completed', true, 1, 3, 1, total * 8 / 10, total / 10 - 1, total / 10,
       ${AT} + interval '2 minutes', ${AT} + interval '2 minutes', ${AT} + interval '3 minutes'
     FROM ${OF_ENDED} JOIN run ON run.id = n WHERE ${HAS_REPEAT}`,
  ];
}

function tallied(): string {
  const tally = new Tally();
  for (let n = 0; n < 5; n += 1) tally.addDuration(10 + n);
  tally.addQuality(0.5);
  tally.addError('failed', 'no answer');
  return JSON.stringify(tally);
}

const WORK = [
  `INSERT INTO lane (run_id, no, width, fence, granted, lease_until, claimed_at, succeeded, failed, skipped, tally)
   SELECT n, no, 5, 3, 5, CASE WHEN n > ${SIZES.ended} AND no < 2 THEN now() + CASE n % 20 WHEN 10 THEN -1 ELSE 1 END * interval '30 minutes' ELSE '-infinity' END, ${AT},
     1, 1, 0, '${tallied()}'
   FROM ${ALL}, generate_series(0, CASE WHEN n = ${LARGE} THEN 19 WHEN n > ${SIZES.ended} THEN 3 ELSE 1 END) no`,
  `INSERT INTO lane (run_id, no, width) SELECT 30000 + n, 0, 5 FROM ${OF_ENDED} WHERE ${HAS_REPEAT}`,
  `INSERT INTO chunk (run_id, no, size, state, lane)
   SELECT n, k * 3, 3, CASE WHEN n <= ${SIZES.ended} OR k < 10 THEN 2 WHEN k < 14 AND n <= ${SIZES.running} THEN 1 ELSE 0 END,
     CASE WHEN n <= ${SIZES.ended} OR k < 14 THEN k % 2 END
   FROM ${ALL}, generate_series(0, CASE WHEN n > ${SIZES.ended} THEN 19 WHEN n = ${REPEATED} THEN ${REPEATED_CHUNKS} - 1 ELSE 3 END) k
   WHERE n <> ${LARGE} AND NOT ${IS_EXTERNAL}`,
  `INSERT INTO chunk (run_id, no, size, state, lane)
   SELECT ${LARGE}, k * 4, 4, CASE WHEN k < 10000 THEN 2 WHEN k < 10008 THEN 1 ELSE 0 END, CASE WHEN k < 10008 THEN k % 2 END
   FROM generate_series(0, ${LARGE_CHUNKS} - 1) k`,
  `INSERT INTO chunk (run_id, no, size, state, lane) SELECT ${LARGE}, -k, 4, 2, 0 FROM generate_series(1, 100) k`,
  `INSERT INTO chunk (run_id, no, size, state, lane) SELECT 30000 + n, 3, 1, 2, 0 FROM ${OF_ENDED} WHERE ${HAS_REPEAT}`,
  `INSERT INTO chunk (run_id, no, size, state, intake, created_at)
   SELECT 90000 + k % 20, k * 5, 5, 3, k % 20, now() - (k % 20) * interval '3 hours' FROM generate_series(1, 400) k`,
  `INSERT INTO chunk_items (run_id, no, items)
   SELECT run_id, no, CASE WHEN run_id > ${SIZES.batches} THEN json_build_array(json_build_object('seq', no, 'attempt', 1, 'key', 'item-' || no))
     ELSE (SELECT json_agg(json_build_object('key', 'item-' || i, 'payload', i)) FROM generate_series(no, no + size - 1) i) END
   FROM chunk`,
  `INSERT INTO chunk (run_id, no, size, state) VALUES (${ENDING}, -2000, 1, 0)`,
  `INSERT INTO chunk_items (run_id, no, items)
   VALUES (${ENDING}, -2000, '[{"seq":1,"attempt":2,"key":"item-1","last":{"kind":"retryable","error":"no answer","at":"2026-11-01T00:00:00Z"}}]')`,
  `INSERT INTO retry (run_id, seq, due_at, attempt, key, error_kind, error, waits_for)
   SELECT n, 50000 + k, now() + (k % 60 - 5) * interval '1 minute', 2, 'item-' || k, CASE WHEN k % 4 = 0 THEN 'rate-limited' ELSE 'failed' END,
     CASE WHEN k % 4 = 0 THEN 'its circuit is open' ELSE 'no answer' END, CASE WHEN k % 4 = 0 THEN 'openai' END
   FROM generate_series(${SIZES.ended} + 1, ${SIZES.running}) n, generate_series(0, CASE n WHEN ${LARGE} THEN 1999 ELSE 199 END) k`,
  `INSERT INTO external_result (run_id, key, recorded, seq)
   SELECT n, 'item-' || k, n <= ${SIZES.ended}, k FROM ${ALL}, generate_series(0, 24) k WHERE ${IS_EXTERNAL}`,
];

const OUTCOME = `outcome (run_id, seq, status, attempts, duration_ms, quality, key, error_kind, error, output, recorded_at, repeated_in)`;
const OUTCOME_OF_ITEM = `
  n, k, CASE WHEN n % 20 = 7 OR k % 10 = 3 THEN 2 WHEN k % 10 = 7 THEN 3 ELSE 1 END, 1, 10 + k % 90, 0.5, 'item-' || k,
  CASE WHEN n % 20 = 7 OR k % 10 IN (3, 7) THEN (ARRAY['failed', 'timeout', 'permanent'])[n % 3 + 1] END,
  CASE WHEN n % 20 = 7 OR k % 10 IN (3, 7) THEN 'it failed for reason ' || n % 11 END, jsonb_build_object('n', k), ${AT}`;

const RESULTS = [
  `INSERT INTO ${OUTCOME} SELECT ${OUTCOME_OF_ITEM}, CASE WHEN ${HAS_REPEAT} AND k = 3 THEN 30000 + n END
   FROM ${OF_ENDED}, generate_series(0, CASE WHEN n % 40 = 20 THEN 4 WHEN n = ${REPEATED} THEN ${3 * REPEATED_CHUNKS} - 1 ELSE 11 END) k`,
  `INSERT INTO ${OUTCOME} SELECT ${OUTCOME_OF_ITEM}, NULL FROM (SELECT ${LARGE} AS n) large, generate_series(0, 39999) k`,
  `INSERT INTO outcome (run_id, seq, status, attempts, duration_ms, key) SELECT 30000 + n, 3, 1, 1, 20, 'item-3' FROM ${OF_ENDED} WHERE ${HAS_REPEAT}`,
  `INSERT INTO compensation (run_id, seq, value, outcome)
   SELECT n, k, '{}', CASE WHEN n % 1000 = 0 THEN NULL WHEN k = 3 THEN 'failed' ELSE 'compensated' END
   FROM ${OF_ENDED}, generate_series(0, 3) k WHERE n % 4 = 0`,
  `INSERT INTO rollback_turn (batch_id, lease_until) SELECT ${ID}, '-infinity' FROM ${OF_ENDED} WHERE n % 4 = 0`,
  `INSERT INTO item_edit (batch_id, seq, no, payload) SELECT ${ID}, k, 1, '1' FROM ${OF_ENDED}, generate_series(0, 1) k WHERE n % 4 = 1`,
];

const LOGS = [
  `INSERT INTO batch_event (batch_id, seq, run_id, type, at, data)
   SELECT ${ID}, k, n, CASE k WHEN 1 THEN 'batch.created' WHEN 2 THEN 'batch.started' WHEN 5 THEN
     CASE WHEN n > ${SIZES.ended} THEN 'batch.progress' WHEN n % 20 = 7 THEN 'batch.failed' WHEN n % 40 = 20 THEN 'batch.cancelled' ELSE 'batch.completed' END
     ELSE 'batch.progress' END, ${AT}, '{"progress":50,"counts":{"succeeded":4,"failed":1,"skipped":0}}'
   FROM ${ALL}, generate_series(1, 5) k`,
  `INSERT INTO audit_entry (batch_id, at, by, action, details)
   SELECT ${ID}, ${AT}, 'user-' || n % 50, (ARRAY['start', 'pause', 'resume'])[k], '{}' FROM ${ALL}, generate_series(1, 3) k`,
  `INSERT INTO batch_metric (batch_id, source, at, data)
   SELECT ${ID}, CASE k % 2 WHEN 0 THEN 'worker' ELSE 'caller' END, ${AT}, '{"throughput":10}'
   FROM ${ALL}, generate_series(1, CASE n WHEN ${LARGE} THEN 2000 ELSE 3 END) k`,
];

const RECORDS = [
  `INSERT INTO record (tenant, collection, key, fields, updated_at, written_by)
   SELECT ${COLLECTIONS}, 'record-' || k, jsonb_build_object('status', CASE k % 50 WHEN 0 THEN 'open' ELSE 'done' END, 'n', k, 'of', n), ${AT}, ${ID}
   FROM generate_series(1, 2000) n, generate_series(n * 20, n * 20 + 19) k`,
  `INSERT INTO record_backup (batch_id, collection, key, tenant, fields, updated_at, version, outcome)
   SELECT ${ID}, 'letters-' || n % 3, 'record-' || k, ${TENANT}, '{}', ${AT}, ${AT},
     CASE WHEN n % 1000 = 0 THEN NULL WHEN k % 5 = 0 THEN 'left alone' ELSE 'restored' END
   FROM ${OF_ENDED}, generate_series(n, n + 9) k WHERE n % 10 = 0`,
  `INSERT INTO upload (id, tenant, user_key, accepted_at)
   SELECT md5('upload' || n)::uuid, ${TENANT}, 'user-' || n % 50, ${AT} FROM ${ALL} WHERE n % 6 = 3`,
  `INSERT INTO file (id, tenant, name, media_type, size, sha256, created_at, upload_id)
   SELECT md5('file' || n)::uuid, ${TENANT}, 'letter.pdf', 'application/pdf', 1000, md5(n::text), ${AT}, CASE WHEN n % 6 = 3 THEN md5('upload' || n)::uuid END
   FROM ${ALL} WHERE n % 3 = 0`,
  `INSERT INTO idempotency_key (tenant, key, hash, token, claimed_until, answer, created_at)
   SELECT ${TENANT}, md5('key' || n), '\\x00', md5(n::text)::uuid, now() - n * interval '5 seconds', '{}', now() - n * interval '4.4 seconds' FROM ${ALL}`,
  `INSERT INTO rate_bucket (tenant, scope, name, tokens, refilled_at)
   SELECT ${TENANT}, 'batch', ${ID}, 5, now() - n * interval '1 second' FROM generate_series(1, 5000) n`,
  `INSERT INTO circuit_breaker (tenant, provider, failed, opened_at, open_until)
   SELECT CASE n WHEN 1 THEN 'acme' ELSE 'tenant-' || n END, provider, 1, CASE WHEN n % 10 = 1 THEN now() END, CASE WHEN n % 10 = 1 THEN now() END
   FROM generate_series(1, 2000) n, unnest(ARRAY['openai', 'mistral', 'scans']) provider`,
  `INSERT INTO worker (id, operations, full_operations, lanes, free_lanes, seen_at)
   SELECT md5(n::text)::uuid, ARRAY['noop', 'import'], '{}', 10, 5, now() FROM generate_series(1, 5) n`,
];
