import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which providers fail for which tenant, and which are left alone. */
export class CircuitBreakers1764000013000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CIRCUIT_BREAKERS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE circuit_breaker');
  }
}

const CIRCUIT_BREAKERS = `
  -- opened_at null: closed. open_until in the past: half open, and probe_until in the future: one item is trying.
  CREATE TABLE circuit_breaker (
    tenant text NOT NULL,
    provider text NOT NULL,
    failures integer,
    open_ms integer,
    forced text CHECK (forced IN ('open', 'closed')),
    changed_by text,
    changed_at timestamptz,
    failed integer NOT NULL DEFAULT 0,
    last_error text,
    opened_at timestamptz,
    open_until timestamptz,
    probe uuid,
    probe_until timestamptz,
    PRIMARY KEY (tenant, provider)
  );
`;
