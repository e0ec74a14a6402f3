import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '../../src/database/sql.js';
import { installAudit } from './invariants.js';

/**
 * What {@link installAudit} writes down, at a load that a trigger a row would halve: one row a statement, under the same name. And who
 * claimed a lane or recorded something in it, when; processes are told from each other by their connections' application names.
 */
const SWIFT_AUDIT = `
  DROP TRIGGER audit_outcome ON outcome;
  DROP FUNCTION audit_outcome;
  DROP TABLE audit_outcome;
  CREATE TABLE audit_flush (run_id bigint NOT NULL, seqs integer[] NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON audit_flush (run_id);
  CREATE VIEW audit_outcome AS SELECT run_id, unnest(seqs) AS seq FROM audit_flush;
  CREATE FUNCTION audit_flush() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO audit_flush (run_id, seqs) SELECT run_id, array_agg(seq) FROM written GROUP BY run_id;
      RETURN NULL;
    END $$;
  CREATE TRIGGER audit_insert AFTER INSERT ON outcome REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION audit_flush();
  CREATE TRIGGER audit_update AFTER UPDATE ON outcome REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION audit_flush();

  CREATE TABLE audit_lane (
    run_id bigint NOT NULL, no smallint NOT NULL, fence integer NOT NULL, claimed boolean NOT NULL,
    process text NOT NULL DEFAULT current_setting('application_name'), at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE INDEX ON audit_lane (run_id, no);
  CREATE FUNCTION audit_lane() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO audit_lane (run_id, no, fence, claimed) VALUES (NEW.run_id, NEW.no, NEW.fence, NEW.fence <> OLD.fence);
      RETURN NULL;
    END $$;
  CREATE TRIGGER audit_lane AFTER UPDATE ON lane FOR EACH ROW
    WHEN (NEW.fence <> OLD.fence OR (NEW.succeeded, NEW.failed, NEW.skipped) <> (OLD.succeeded, OLD.failed, OLD.skipped))
    EXECUTE FUNCTION audit_lane();`;

export async function installSwiftAudit(database: { pool: Connection }): Promise<void> {
  await installAudit(database);
  await database.pool.query(SWIFT_AUDIT);
}

/** A lane with chunks that a process has taken and not finished. */
export interface BusyLane {
  runId: string;
  no: number;
  fence: number;
  process: string;
  /** Positions of items that run alone in it. */
  suspects: number[];
}

const BUSY_LANES = `
  SELECT l.run_id AS "runId", l.no, l.fence, claim.process, c.suspects
  FROM run r JOIN lane l ON l.run_id = r.id AND l.lease_until > '-infinity',
    LATERAL (
      SELECT count(*) AS n, coalesce(array_agg(
        -- items that wait for another try bring their positions along
        coalesce((SELECT items::json -> suspect ->> 'seq' FROM chunk_items i WHERE i.run_id = c.run_id AND i.no = c.no)::bigint, no + suspect)
      ) FILTER (WHERE suspect IS NOT NULL), '{}')::int[] AS suspects
      FROM chunk c WHERE run_id = l.run_id AND lane = l.no AND state = 1
    ) c,
    LATERAL (SELECT process FROM audit_lane a WHERE a.run_id = l.run_id AND a.no = l.no AND a.fence = l.fence AND a.claimed) claim
  WHERE r.status = 'running' AND c.n > 0`;

export async function busyLanes({ pool }: { pool: Connection }): Promise<BusyLane[]> {
  const { rows } = await pool.query<BusyLane>(BUSY_LANES);
  return rows;
}

const WORKED_AGAIN = `
  SELECT (extract(epoch FROM min(at)) * 1000)::float8 AS at FROM audit_lane
  WHERE run_id = $1 AND no = $2 AND fence >= $3 AND at > to_timestamp($4::float8 / 1000)`;

/** Milliseconds since 1970 at which the lane was claimed, or something was recorded in it, for the first time after a moment. */
export async function workedAgainAt(
  { pool }: { pool: Connection },
  { runId, no, fence }: { runId: string; no: number; fence: number },
  after: number,
): Promise<number | undefined> {
  const { rows } = await pool.query<{ at: number | null }>(WORKED_AGAIN, [runId, no, fence, after]);
  return rows[0]!.at ?? undefined;
}

/** Executions that the processes of a cluster counted, those that are dead included; see trial-operation.mjs. */
export function countedExecutions(folder: string): number {
  const files = readdirSync(folder).filter((name) => name.endsWith('.swift'));
  return files.reduce((sum, name) => sum + Number(readFileSync(join(folder, name), 'utf8')), 0);
}
