import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The engine's tables. Hot tables are keyed by the run's number and hold no foreign keys: deletion removes a run's rows
 * itself, and a key check per outcome would cost more than the outcome. `lane` and `chunk` are updated in place, so they
 * keep half of each page free for updates that touch no index.
 */
export class Engine1764000001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(BATCHES);
    await runner.query(WORK);
    await runner.query(RESULTS);
    await runner.query(EVENTS);
    await runner.query(GUARDS);
    await runner.query(COMPRESSION);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE batch_event, external_result, retry, outcome, chunk_items, chunk, lane, run, batch');
    await runner.query('DROP FUNCTION refuse_change_of_finished_run, refuse_event_of_finished_run');
  }
}

const BATCHES = `
  CREATE TABLE batch (
    id text PRIMARY KEY,
    tenant text NOT NULL,
    dialect text NOT NULL,
    operation text NOT NULL,
    name text,
    description text,
    filters jsonb NOT NULL,
    parameters jsonb NOT NULL,
    options jsonb NOT NULL,
    external boolean NOT NULL,
    created_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    run_id bigint NOT NULL,
    event_seq integer NOT NULL DEFAULT 0
  );
  CREATE INDEX batch_history ON batch (tenant, dialect, created_at DESC, id);
  CREATE INDEX batch_history_all ON batch (tenant, created_at DESC, id);

  CREATE SEQUENCE run_id;
  CREATE TABLE run (
    id bigint PRIMARY KEY,
    batch_id text NOT NULL,
    no integer NOT NULL,
    status text NOT NULL,
    ends_as text,
    reason text,
    sealed boolean NOT NULL,
    total integer NOT NULL DEFAULT 0,
    next_seq integer NOT NULL DEFAULT 0,
    rank smallint NOT NULL,
    succeeded integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    cancelled integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    deadline_at timestamptz,
    progress_at timestamptz NOT NULL DEFAULT '-infinity',
    UNIQUE (batch_id, no)
  );
  CREATE INDEX run_open ON run (id) WHERE status IN ('pending', 'running', 'paused', 'stopping');
`;

const WORK = `
  CREATE TABLE lane (
    run_id bigint NOT NULL,
    no smallint NOT NULL,
    width smallint NOT NULL,
    fence integer NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    succeeded integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    tally json,
    item_progress json,
    PRIMARY KEY (run_id, no)
  ) WITH (fillfactor = 50);

  -- state: 0 pending, 1 claimed by a lane, 2 done, 3 staged by an intake that is not accepted yet
  CREATE TABLE chunk (
    run_id bigint NOT NULL,
    no bigint NOT NULL,
    size integer NOT NULL,
    state smallint NOT NULL,
    lane smallint,
    settled smallint[] NOT NULL DEFAULT '{}',
    crashes smallint NOT NULL DEFAULT 0,
    suspect smallint,
    suspects smallint[] NOT NULL DEFAULT '{}',
    intake bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, no)
  ) WITH (fillfactor = 50);
  CREATE INDEX chunk_open ON chunk (run_id, no) WHERE state < 2;
  CREATE INDEX chunk_claimed ON chunk (run_id, lane) WHERE state = 1;
  CREATE INDEX chunk_staged ON chunk (intake) WHERE state = 3;
  CREATE SEQUENCE intake_id;
  CREATE SEQUENCE retry_chunk_no;

  CREATE TABLE chunk_items (
    run_id bigint NOT NULL,
    no bigint NOT NULL,
    items text NOT NULL,
    PRIMARY KEY (run_id, no)
  );
`;

const RESULTS = `
  -- status: 1 succeeded, 2 failed, 3 skipped
  CREATE TABLE outcome (
    run_id bigint NOT NULL,
    seq integer NOT NULL,
    status smallint NOT NULL,
    attempts smallint NOT NULL,
    duration_ms real,
    quality real,
    key text NOT NULL,
    error_kind text,
    error text,
    output jsonb,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, seq)
  );
  CREATE INDEX outcome_unsuccessful ON outcome (run_id, status, seq) WHERE status > 1;

  CREATE TABLE retry (
    run_id bigint NOT NULL,
    seq integer NOT NULL,
    due_at timestamptz NOT NULL,
    attempt smallint NOT NULL,
    key text NOT NULL,
    payload json,
    error_kind text,
    error text,
    PRIMARY KEY (run_id, seq)
  );
  CREATE INDEX retry_due ON retry (run_id, due_at);

  CREATE TABLE external_result (
    run_id bigint NOT NULL,
    key text NOT NULL,
    recorded boolean NOT NULL,
    PRIMARY KEY (run_id, key)
  );
`;

const EVENTS = `
  CREATE TABLE batch_event (
    batch_id text NOT NULL,
    seq integer NOT NULL,
    run_id bigint NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    data json NOT NULL,
    PRIMARY KEY (batch_id, seq)
  );
  CREATE UNIQUE INDEX batch_event_one_end ON batch_event (run_id) WHERE type IN ('batch.completed', 'batch.failed', 'batch.cancelled');
`;

/** The last line of defence for "finished is finished": the statements above it never try, and a mistake in one is refused here. */
const GUARDS = `
  CREATE FUNCTION refuse_change_of_finished_run() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION 'run % is %: a finished run never changes', OLD.id, OLD.status USING ERRCODE = 'BW001';
  END $$;
  CREATE TRIGGER run_is_finished BEFORE UPDATE ON run FOR EACH ROW
    WHEN (OLD.status IN ('completed', 'failed', 'cancelled', 'timed_out'))
    EXECUTE FUNCTION refuse_change_of_finished_run();

  CREATE FUNCTION refuse_event_of_finished_run() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF EXISTS (SELECT FROM batch_event e WHERE e.run_id = NEW.run_id AND e.type IN ('batch.completed', 'batch.failed', 'batch.cancelled')) THEN
      RAISE EXCEPTION 'run % has ended: no % event may follow', NEW.run_id, NEW.type USING ERRCODE = 'BW002';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER run_has_ended BEFORE INSERT ON batch_event FOR EACH ROW EXECUTE FUNCTION refuse_event_of_finished_run();
`;

/** lz4 packs items about four times faster than the default; a server built without it keeps the default. */
const COMPRESSION = `
  DO $$ BEGIN
    ALTER TABLE chunk_items ALTER COLUMN items SET COMPRESSION lz4;
    ALTER TABLE outcome ALTER COLUMN output SET COMPRESSION lz4;
  EXCEPTION WHEN feature_not_supported THEN NULL;
  END $$;
`;
