import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many bytes of files each tenant has, counted as they come and go. The index gives pages of files that are as old as each other, too. */
export class BytesOfFiles1764000029000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE tenant_files (tenant text PRIMARY KEY, bytes bigint NOT NULL)');
    await runner.query('INSERT INTO tenant_files SELECT tenant, sum(size) FROM file GROUP BY tenant');
    await runner.query('DROP INDEX file_by_tenant');
    await runner.query('CREATE INDEX file_by_tenant ON file (tenant, created_at DESC, id DESC)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX file_by_tenant');
    await runner.query('CREATE INDEX file_by_tenant ON file (tenant, created_at DESC)');
    await runner.query('DROP TABLE tenant_files');
  }
}
