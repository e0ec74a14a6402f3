/**
 * Before this position every item of the batch has exactly one outcome that counts. What is missing lies in a chunk that is not done, or
 * waits for another try; chunks of retries, which may hold any item, have negative numbers.
 */
const SOLID = `
  SELECT coalesce(min(missing.seq), 2147483647) AS until FROM unnest($1::bigint[]) AS r (id), LATERAL (
    SELECT least((SELECT min(c.no) FROM chunk c WHERE c.run_id = r.id AND c.state < 2), (SELECT min(t.seq) FROM retry t WHERE t.run_id = r.id)) AS seq
  ) missing`;

/** Chunks of the first run that lie before it, with the number of items before each: positions that a refused request had reserved hold none. */
const SOLID_CHUNKS = `
  SELECT c.no, c.size, sum(c.size) OVER (ORDER BY c.no) - c.size AS before
  FROM chunk c WHERE c.run_id = ($1::bigint[])[1] AND c.no >= 0 AND c.no + c.size <= (SELECT until FROM solid) AND c.state = 2`;

/**
 * Where to begin, so as not to count all the way to the page of the outcomes that count of `$1` (all runs of a batch whose items are worked
 * here, oldest first): a position, and how many outcomes from there on are before the page.
 */
export function startOfPage(offset: number): string {
  return `
    WITH solid AS MATERIALIZED (${SOLID})
    SELECT greatest(0, least(until, ${offset})) AS seq, ${offset} - greatest(0, least(until, ${offset})) AS skipped
    FROM solid JOIN run r ON r.id = ($1::bigint[])[1] WHERE r.total = r.next_seq
    UNION ALL
    SELECT coalesce(c.no + least(c.size, ${offset} - c.before), 0)::bigint AS seq,
      (${offset} - coalesce(c.before + least(c.size, ${offset} - c.before), 0))::bigint AS skipped
    FROM run r LEFT JOIN LATERAL (SELECT * FROM (${SOLID_CHUNKS}) c WHERE c.before <= ${offset} ORDER BY c.no DESC LIMIT 1) c ON true
    WHERE r.id = ($1::bigint[])[1] AND r.total <> r.next_seq`;
}
