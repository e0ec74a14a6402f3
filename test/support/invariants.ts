import type { Connection } from '../../src/database/sql.js';

const TERMINAL = `('completed', 'failed', 'cancelled', 'timed_out')`;
const TERMINAL_EVENTS = `('batch.completed', 'batch.failed', 'batch.cancelled')`;

const OUTCOME_COUNTS = `
  SELECT count(*) FILTER (WHERE status = 1)::int AS succeeded, count(*) FILTER (WHERE status = 2)::int AS failed,
    count(*) FILTER (WHERE status = 3)::int AS skipped, count(*) FILTER (WHERE status < 4)::int AS n
  FROM outcome WHERE run_id = r.id`;

const LANE_COUNTS = `
  SELECT coalesce(sum(succeeded), 0)::int AS succeeded, coalesce(sum(failed), 0)::int AS failed, coalesce(sum(skipped), 0)::int AS skipped
  FROM lane WHERE run_id = r.id`;

/** Each finds what must not be: no rows, at any moment, whatever happened before. */
const FORBIDDEN: Record<string, string> = {
  'lanes count what their outcomes are': `
    SELECT r.id, r.status, to_json(o) AS outcomes, to_json(l) AS lanes
    FROM run r, LATERAL (${OUTCOME_COUNTS}) o, LATERAL (${LANE_COUNTS}) l
    WHERE (o.succeeded, o.failed, o.skipped) IS DISTINCT FROM (l.succeeded, l.failed, l.skipped)`,
  'an ended run counts what its outcomes are': `
    SELECT r.id, r.status, r.total, r.succeeded, r.failed, r.skipped, r.cancelled, to_json(o) AS outcomes
    FROM run r, LATERAL (${OUTCOME_COUNTS}) o
    WHERE r.status IN ${TERMINAL} AND (o.succeeded, o.failed, o.skipped) IS DISTINCT FROM (r.succeeded, r.failed, r.skipped)`,
  'every item of an ended run has an outcome or is counted cancelled': `
    SELECT r.id, r.status, r.total, r.succeeded, r.failed, r.skipped, r.cancelled FROM run r
    WHERE r.status IN ${TERMINAL}
      AND (r.succeeded + r.failed + r.skipped + r.cancelled <> r.total OR least(r.succeeded, r.failed, r.skipped, r.cancelled) < 0
        OR (r.status IN ('completed', 'failed') AND r.ends_as IS NULL AND r.cancelled <> 0))`,
  'an open run has no more outcomes than items': `
    SELECT r.id, r.total, o.n FROM run r, LATERAL (${OUTCOME_COUNTS}) o WHERE o.n > r.total`,
  'the total is the number of accepted items': `
    SELECT r.id, r.total, c.items FROM run r JOIN batch b ON b.id = r.batch_id AND NOT b.external,
      LATERAL (SELECT coalesce(sum(size), 0)::int AS items FROM chunk WHERE run_id = r.id AND no >= 0 AND state <> 3) c
    WHERE r.total <> c.items`,
  'no outcome lies outside of its batch': `
    SELECT o.run_id, o.seq FROM outcome o JOIN run r ON r.id = o.run_id JOIN batch b ON b.id = r.batch_id AND NOT b.external
    WHERE r.no = 1
      -- of the last chunk that begins at it or before: to look at all of them takes minutes in a batch of 2,000 chunks
      AND NOT coalesce((
        SELECT o.seq < c.no + c.size FROM chunk c WHERE c.run_id = o.run_id AND c.no >= 0 AND c.no <= o.seq AND c.state <> 3
        ORDER BY c.no DESC LIMIT 1
      ), false)`,
  'no item has more attempts than one and its retries': `
    SELECT o.run_id, o.seq, o.attempts FROM outcome o JOIN run r ON r.id = o.run_id JOIN batch b ON b.id = r.batch_id AND NOT b.external
    WHERE o.attempts > 1 + (b.options ->> 'retryAttempts')::int
      -- tries that go on counting may have been used up before
      AND (r.no = 1 OR o.attempts > 1 + (
        SELECT p.attempts FROM outcome p JOIN run q ON q.id = p.run_id WHERE q.batch_id = b.id AND p.seq = o.seq AND p.repeated_in = r.id
      ))`,
  'no item waits for a retry that has an outcome': `
    SELECT t.run_id, t.seq FROM retry t JOIN outcome o ON o.run_id = t.run_id AND o.seq = t.seq AND o.status < 4`,
  'no chunk of an ended run is claimed': `
    SELECT c.run_id, c.no, r.status FROM chunk c JOIN run r ON r.id = c.run_id WHERE r.status IN ${TERMINAL} AND c.state = 1`,
  'a run that ended by itself left nothing undone': `
    SELECT r.id FROM run r JOIN batch b ON b.id = r.batch_id AND NOT b.external WHERE r.status IN ('completed', 'failed') AND r.ends_as IS NULL
      AND (EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2) OR EXISTS (SELECT FROM retry t WHERE t.run_id = r.id))`,
  'batches that have ended are counted as what they are': `
    SELECT * FROM (
      SELECT tenant, dialect, operation, status, priority, sum(batches) AS batches, sum(total) AS total, sum(succeeded) AS succeeded,
        sum(failed) AS failed, sum(skipped) AS skipped, sum(timed) AS timed, sum(duration_us) AS duration_us, sum(processed) AS processed
      FROM ended_total GROUP BY 1, 2, 3, 4, 5 HAVING sum(batches) <> 0 OR sum(total) <> 0 OR sum(duration_us) <> 0
    ) counted FULL JOIN (
      SELECT b.tenant, b.dialect, b.operation, r.status, b.options ->> 'priority' AS priority, count(*) AS batches,
        sum(r.total + carried_succeeded + carried_failed + carried_skipped + carried_cancelled) AS total,
        sum(succeeded + carried_succeeded) AS succeeded, sum(failed + carried_failed) AS failed, sum(skipped + carried_skipped) AS skipped,
        count(started_at) AS timed, coalesce(sum(extract(epoch FROM ended_at - started_at) * 1000000), 0) AS duration_us,
        coalesce(sum(succeeded + failed + skipped) FILTER (WHERE started_at IS NOT NULL), 0) AS processed
      FROM batch b JOIN run r ON r.id = b.run_id WHERE r.status IN ${TERMINAL} GROUP BY 1, 2, 3, 4, 5
    ) found USING (tenant, dialect, operation, status, priority, batches, total, succeeded, failed, skipped, timed, duration_us, processed)
    WHERE counted IS NULL OR found IS NULL`,
  'records are counted as what is there': `
    SELECT * FROM (
      SELECT tenant, collection, sum(records) AS records, sum(bytes) AS bytes FROM record_total GROUP BY 1, 2
      HAVING sum(records) <> 0 OR sum(bytes) <> 0
    ) counted FULL JOIN (
      SELECT tenant, collection, count(*) AS records, sum(octet_length(key) + octet_length(fields::text)) AS bytes FROM record GROUP BY 1, 2
    ) found USING (tenant, collection, records, bytes)
    WHERE counted IS NULL OR found IS NULL`,
  'events are numbered from 1 without a gap': `
    SELECT b.id, b.event_seq, e.n, e.last FROM batch b,
      LATERAL (SELECT count(*)::int AS n, min(seq) AS first, max(seq) AS last FROM batch_event WHERE batch_id = b.id) e
    WHERE e.n <> b.event_seq OR e.first <> 1 OR e.last <> e.n`,
  'an ended run has one terminal event, and it is its last one; an open one has none': `
    SELECT r.id, r.status, e.ends, e.last_type FROM run r LEFT JOIN (
      SELECT run_id, count(*) FILTER (WHERE type IN ${TERMINAL_EVENTS}) AS ends, (array_agg(type ORDER BY seq DESC))[1] AS last_type
      FROM batch_event GROUP BY run_id
    ) e ON e.run_id = r.id
    WHERE CASE WHEN r.status IN ${TERMINAL} THEN e.ends IS DISTINCT FROM 1 OR e.last_type NOT IN ${TERMINAL_EVENTS} ELSE e.ends > 0 END`,
  'progress never falls over the event log, and is 100 only at the end': `
    SELECT batch_id, seq, type, progress, processed FROM (
      SELECT e.*, lag(progress) OVER w AS progress_before, lag(processed) OVER w AS processed_before,
        min(total) OVER r <> max(total) OVER r AS was_added_to
      FROM (
        SELECT batch_id, run_id, seq, type, (data ->> 'progress')::int AS progress, (data -> 'counts' ->> 'total')::int AS total,
          (data -> 'counts' ->> 'succeeded')::int + (data -> 'counts' ->> 'failed')::int + (data -> 'counts' ->> 'skipped')::int AS processed
        FROM batch_event
      ) e WINDOW w AS (PARTITION BY run_id ORDER BY seq), r AS (PARTITION BY run_id)
    ) e
    WHERE processed < processed_before OR (progress >= 100 AND type NOT IN ${TERMINAL_EVENTS})
      -- items that are added while it runs make a smaller part of what is done
      OR (progress < progress_before AND NOT was_added_to)`,
  'counts add up to the total in every event': `
    SELECT batch_id, seq, data -> 'counts' AS counts FROM batch_event
    WHERE (data -> 'counts' ->> 'total')::int <> (SELECT sum(value::int) FROM json_each_text(data -> 'counts') WHERE key <> 'total')`,
  'nothing is left of what was deleted': `
    SELECT t.part, t.run_id FROM (
      SELECT 'chunk' AS part, run_id FROM chunk WHERE state <> 3 UNION SELECT 'outcome', run_id FROM outcome
      UNION SELECT 'lane', run_id FROM lane UNION SELECT 'retry', run_id FROM retry UNION SELECT 'external_result', run_id FROM external_result
      UNION SELECT 'batch_event', run_id FROM batch_event
    ) t WHERE NOT EXISTS (SELECT FROM run r JOIN batch b ON b.id = r.batch_id WHERE r.id = t.run_id)`,
  'a rate limit never gives more than it has, and goes with its batch': `
    SELECT * FROM rate_bucket k WHERE tokens < 0 OR (scope = 'batch' AND NOT EXISTS (SELECT FROM batch b WHERE b.id = k.name AND b.tenant = k.tenant))`,
  'a later run repeats just the items that earlier runs gave to it, with their keys': `
    SELECT r.id, r.total, p.items, o.strangers FROM run r,
      LATERAL (SELECT count(*)::int AS items FROM outcome WHERE repeated_in = r.id) p,
      LATERAL (
        SELECT count(*)::int AS strangers FROM outcome o WHERE o.run_id = r.id
          AND NOT EXISTS (SELECT FROM outcome p WHERE p.repeated_in = r.id AND p.seq = o.seq AND p.key = o.key)
      ) o
    WHERE r.no > 1 AND (r.total <> p.items OR o.strangers > 0)`,
  'what is repeated belongs to an earlier run of the same batch, and did not succeed; what was left undone is history only': `
    SELECT o.run_id, o.seq, o.status, o.repeated_in FROM outcome o JOIN run r ON r.id = o.run_id
    LEFT JOIN run later ON later.id = o.repeated_in AND later.batch_id = r.batch_id AND later.no > r.no
    WHERE (o.repeated_in IS NOT NULL AND (later.id IS NULL OR o.status = 1)) OR (o.repeated_in IS NULL AND o.status = 4)`,
  'at most one outcome of an item counts': `
    SELECT r.batch_id, o.seq, count(*)::int AS counting FROM outcome o JOIN run r ON r.id = o.run_id
    WHERE o.repeated_in IS NULL GROUP BY 1, 2 HAVING count(*) > 1`,
  'a run carries what the run before it counted, without what it repeats': `
    SELECT r.id, r.no, to_json(r) AS run, to_json(p) AS before, to_json(o) AS repeated
    FROM run r LEFT JOIN run p ON p.batch_id = r.batch_id AND p.no = r.no - 1, LATERAL (
      SELECT count(*) FILTER (WHERE status = 2)::int AS failed, count(*) FILTER (WHERE status = 3)::int AS skipped,
        count(*) FILTER (WHERE status = 4)::int AS undone FROM outcome WHERE repeated_in = r.id
    ) o
    WHERE CASE WHEN r.no = 1 THEN r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled <> 0
      ELSE p.ended_at IS NULL OR least(r.carried_succeeded, r.carried_failed, r.carried_skipped, r.carried_cancelled) < 0 OR r.total = 0
        OR (r.carried_succeeded, r.carried_failed + o.failed, r.carried_skipped + o.skipped, r.carried_cancelled + o.undone) IS DISTINCT FROM
          (p.carried_succeeded + p.succeeded, p.carried_failed + p.failed, p.carried_skipped + p.skipped, p.carried_cancelled + p.cancelled)
      END`,
  'an edited item belongs to a batch that is there': `
    SELECT e.batch_id, e.seq FROM item_edit e WHERE NOT EXISTS (SELECT FROM batch b WHERE b.id = e.batch_id)`,
  'the outcomes that count are those that the batch counts': `
    SELECT b.id, r.no, to_json(o) AS outcomes, to_json(l) AS lanes, r.carried_succeeded, r.carried_failed, r.carried_skipped
    FROM batch b JOIN run r ON r.id = b.run_id, LATERAL (${LANE_COUNTS}) l,
      LATERAL (
        SELECT count(*) FILTER (WHERE o.status = 1)::int AS succeeded, count(*) FILTER (WHERE o.status = 2)::int AS failed,
          count(*) FILTER (WHERE o.status = 3)::int AS skipped
        FROM outcome o JOIN run any_run ON any_run.id = o.run_id WHERE any_run.batch_id = b.id AND o.repeated_in IS NULL
      ) o
    WHERE (o.succeeded, o.failed, o.skipped) IS DISTINCT FROM
      (l.succeeded + r.carried_succeeded, l.failed + r.carried_failed, l.skipped + r.carried_skipped)`,
  'the current run of a batch is its newest, and all before it have ended': `
    SELECT b.id, r.no FROM batch b JOIN run r ON r.id = b.run_id
    WHERE EXISTS (SELECT FROM run o WHERE o.batch_id = b.id AND (o.no > r.no OR (o.no < r.no AND o.ended_at IS NULL)))`,
  'every chunk has its items': `
    SELECT run_id, no FROM chunk c FULL JOIN chunk_items i USING (run_id, no) WHERE c.size IS NULL OR i.items IS NULL`,
};

const LAWFUL_MOVES = `
  ('pending', 'running'), ('pending', 'cancelled'), ('pending', 'stopping'), ('running', 'paused'), ('paused', 'running'), ('running', 'stopping'),
  ('paused', 'stopping'), ('stopping', 'cancelled'), ('stopping', 'timed_out'), ('running', 'completed'), ('running', 'failed'),
  ('paused', 'completed'), ('paused', 'failed')`;

/** The same about what was ever written, of a database with {@link installAudit}. */
const FORBIDDEN_BY_AUDIT: Record<string, string> = {
  'an outcome is written once, and then never again': `
    SELECT run_id, seq, count(*)::int AS times FROM audit_outcome GROUP BY 1, 2 HAVING count(*) > 1`,
  'a run makes lawful moves only, and none from its end': `
    SELECT * FROM audit_run WHERE (before, after) NOT IN (${LAWFUL_MOVES})`,
  'a run ends once': `
    SELECT run_id, count(*)::int AS times FROM audit_run WHERE after IN ${TERMINAL} GROUP BY 1 HAVING count(*) > 1`,
  'the fence of a lane never falls': `SELECT * FROM audit_fence`,
};

/** Triggers that write down every recording of an outcome and every move of a run, whichever statement did it. For tests. */
const AUDIT = `
  CREATE TABLE audit_outcome (run_id bigint NOT NULL, seq integer NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON audit_outcome (run_id, seq);
  CREATE FUNCTION audit_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO audit_outcome (run_id, seq) VALUES (NEW.run_id, NEW.seq); RETURN NULL; END $$;
  CREATE TRIGGER audit_outcome AFTER INSERT OR UPDATE OF status, attempts, output ON outcome
    FOR EACH ROW EXECUTE FUNCTION audit_outcome();

  CREATE TABLE audit_run (run_id bigint NOT NULL, before text NOT NULL, after text NOT NULL);
  CREATE FUNCTION audit_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO audit_run VALUES (NEW.id, OLD.status, NEW.status); RETURN NULL; END $$;
  CREATE TRIGGER audit_run AFTER UPDATE OF status ON run FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION audit_run();

  CREATE TABLE audit_fence (run_id bigint NOT NULL, no smallint NOT NULL, before integer NOT NULL, after integer NOT NULL);
  CREATE FUNCTION audit_fence() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO audit_fence VALUES (NEW.run_id, NEW.no, OLD.fence, NEW.fence); RETURN NULL; END $$;
  CREATE TRIGGER audit_fence AFTER UPDATE ON lane FOR EACH ROW WHEN (NEW.fence < OLD.fence) EXECUTE FUNCTION audit_fence();
`;

/** @param database of a service that has started, so that its tables are there */
export async function installAudit(database: { pool: Connection }): Promise<void> {
  await database.pool.query(AUDIT);
}

/**
 * Fails with every broken law and the rows that break it. Holds at any moment, also while work goes on.
 * @param audited the database has {@link installAudit}
 */
export async function assertInvariants(database: { pool: Connection }, { audited = false } = {}): Promise<void> {
  const broken: string[] = [];
  for (const [law, sql] of Object.entries({ ...FORBIDDEN, ...(audited ? FORBIDDEN_BY_AUDIT : {}) })) {
    const { rows } = await database.pool.query<object>(`${sql} LIMIT 5`);
    if (rows.length > 0) broken.push(`${law}: ${JSON.stringify(rows)}`);
  }
  if (broken.length > 0) throw new Error(`broken laws:\n${broken.join('\n')}`);
}
