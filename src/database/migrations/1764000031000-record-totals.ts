import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How many records each collection has, and their bytes, so that nobody who asks has to look at each of them. Rows are only added, by every
 * statement that writes records, whoever sends it, and are added up now and then: no two writes wait for each other.
 */
export class RecordTotals1764000031000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TOTALS);
    await runner.query(COUNT_WHAT_IS_WRITTEN);
    await runner.query(COUNT_WHAT_IS_THERE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TRIGGER records_added ON record');
    await runner.query('DROP TRIGGER records_changed ON record');
    await runner.query('DROP TRIGGER records_gone ON record');
    await runner.query('DROP TRIGGER records_truncated ON record');
    await runner.query('DROP FUNCTION count_records_added, count_records_changed, count_records_gone, forget_record_totals');
    await runner.query('DROP TABLE record_total');
  }
}

const TOTALS = `
  CREATE TABLE record_total (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    collection text NOT NULL,
    records bigint NOT NULL,
    bytes bigint NOT NULL,
    written_in bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
  );
  CREATE INDEX record_total_of_collection ON record_total (tenant, collection);
`;

/** Not the size on disk, which changes with compression: the same record has the same bytes whenever it comes and goes. */
const BYTES = 'octet_length(key) + octet_length(fields::text)';

const COUNT_WHAT_IS_WRITTEN = `
  CREATE FUNCTION count_records_added() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO record_total (tenant, collection, records, bytes)
    SELECT tenant, collection, count(*), sum(${BYTES}) FROM added GROUP BY tenant, collection;
    RETURN NULL;
  END $$;
  CREATE TRIGGER records_added AFTER INSERT ON record REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_records_added();

  CREATE FUNCTION count_records_gone() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO record_total (tenant, collection, records, bytes)
    SELECT tenant, collection, -count(*), -sum(${BYTES}) FROM gone GROUP BY tenant, collection;
    RETURN NULL;
  END $$;
  CREATE TRIGGER records_gone AFTER DELETE ON record REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_records_gone();

  CREATE FUNCTION count_records_changed() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO record_total (tenant, collection, records, bytes)
    SELECT tenant, collection, 0, sum(bytes) FROM (
      SELECT tenant, collection, ${BYTES} AS bytes FROM added
      UNION ALL
      SELECT tenant, collection, -(${BYTES}) FROM gone
    ) change GROUP BY tenant, collection HAVING sum(bytes) <> 0;
    RETURN NULL;
  END $$;
  CREATE TRIGGER records_changed AFTER UPDATE ON record REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_records_changed();

  CREATE FUNCTION forget_record_totals() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    TRUNCATE record_total;
    RETURN NULL;
  END $$;
  CREATE TRIGGER records_truncated AFTER TRUNCATE ON record FOR EACH STATEMENT EXECUTE FUNCTION forget_record_totals();
`;

const COUNT_WHAT_IS_THERE = `
  INSERT INTO record_total (tenant, collection, records, bytes)
  SELECT tenant, collection, count(*), sum(${BYTES}) FROM record GROUP BY tenant, collection`;
