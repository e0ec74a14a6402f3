import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Collections of JSON records, and files. Keys compare byte by byte, so that paging by key means the same on every server. */
export class Records1764000002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(FILES);
    await runner.query(RECORDS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE record, file');
  }
}

const FILES = `
  CREATE TABLE file (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX file_by_tenant ON file (tenant, created_at DESC);
`;

/** jsonb_path_ops answers equality on any field, nested ones too, at a third of the default operator class's size. */
const RECORDS = `
  CREATE TABLE record (
    tenant text NOT NULL,
    collection text NOT NULL,
    key text COLLATE "C" NOT NULL,
    fields jsonb NOT NULL,
    file_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, collection, key)
  );
  CREATE INDEX record_fields ON record USING gin (fields jsonb_path_ops);
`;
