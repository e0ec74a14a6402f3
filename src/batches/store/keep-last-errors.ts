import { type Connection, run, type Statement } from '../../database/sql.js';
import type { PackedItem } from '../packed-item.js';

const SELECT_OPEN: Statement = {
  name: 'select-open-retry-chunks',
  text: `
    SELECT c.no, c.settled, i.items FROM chunk c CROSS JOIN LATERAL (SELECT items FROM chunk_items WHERE run_id = c.run_id AND no = c.no LIMIT 1) i
    WHERE c.run_id = $1 AND c.no < 0 AND c.no > $2 AND c.state < 2 ORDER BY c.no LIMIT 20`,
};

const KEEP: Statement = {
  name: 'keep-last-errors',
  text: `
    INSERT INTO retry (run_id, seq, due_at, attempt, key, waited_ms, error_kind, error, failed_at)
    SELECT $1, u.seq, clock_timestamp(), u.attempt, u.key, u.waited_ms, u.error_kind, u.error, u.failed_at
    FROM unnest($2::int[], $3::smallint[], $4::text[], $5::float8[], $6::text[], $7::text[], $8::timestamptz[])
      AS u (seq, attempt, key, waited_ms, error_kind, error, failed_at)
    ON CONFLICT DO NOTHING`,
};

/**
 * What a stopped run's items ran into that were about to be tried again when it ended: they lie in chunks, from where they go back to those
 * that wait for another try. Then the table `retry` has the last error of every item that the run left undone after a failure.
 */
export async function keepLastErrors(connection: Connection, runId: string): Promise<void> {
  let after = '-9223372036854775808';
  for (;;) {
    const chunks = await run<{ no: string; settled: number[]; items: string }>(connection, SELECT_OPEN, [runId, after]);
    if (chunks.length === 0) return;
    const undone = chunks.flatMap(({ settled, items }) =>
      (JSON.parse(items) as Required<PackedItem>[]).filter((_, index) => !settled.includes(index)),
    );
    await run(connection, KEEP, [
      runId,
      undone.map(({ seq }) => seq),
      undone.map(({ attempt }) => attempt),
      undone.map(({ key }) => key),
      undone.map(({ waited = 0 }) => waited),
      undone.map(({ last }) => last?.kind ?? null),
      undone.map(({ last }) => last?.error ?? null),
      undone.map(({ last }) => last?.at ?? new Date().toISOString()),
    ]);
    after = chunks.at(-1)!.no;
  }
}
