import { selectTally } from '../../src/batches/store/select-tally.js';
import type { Cluster } from './cluster.js';
import { eventually } from './eventually.js';
import { EXPECTED, type SwiftBatch } from './swift-items.js';
import type { StruckLanes } from './struck-lanes.js';
import type { Trial } from './trial.js';

const END_MS = 120_000;
const MISMATCHES = 20;

/** Outcomes beside what was sent, by their places: the first position is 0 unless an earlier request reserved positions and broke off. */
const MISMATCHED = `
  WITH expected AS (${EXPECTED}), recorded AS (
    SELECT seq, seq - (SELECT min(no) FROM chunk WHERE run_id = $1 AND no >= 0 AND state <> 3) AS place,
      key, status::int, attempts::int, error_kind, output::jsonb AS output
    FROM outcome WHERE run_id = $1
  )
  SELECT coalesce(r.place, e.place)::int AS place, r.seq, r.error_kind AS kind, to_json(e) AS expected, to_json(r) AS recorded
  FROM expected e FULL JOIN recorded r ON r.place = e.place
  WHERE (e.key, e.status, e.attempts, e.error_kind, e.output) IS DISTINCT FROM (r.key, r.status, r.attempts, r.error_kind, r.output)
  LIMIT ${MISMATCHES}`;

const FIGURES = `
  SELECT r.id, r.status, r.total, r.succeeded, r.failed, r.skipped, r.cancelled,
    o.n AS outcomes, o.good, o.attempts, o.durations, o.qualities, o.quality,
    (SELECT count(*)::int FROM (SELECT FROM audit_outcome WHERE run_id = r.id GROUP BY seq HAVING count(*) > 1) t) AS twice,
    (SELECT sum(crashes)::int FROM chunk WHERE run_id = r.id) AS crashes,
    (
      SELECT coalesce(json_agg(json_build_object('kind', error_kind, 'message', error, 'count', n) ORDER BY n DESC, error), '[]')
      FROM (SELECT error_kind, error, count(*)::int AS n FROM outcome WHERE run_id = r.id AND status > 1 GROUP BY 1, 2) e
    ) AS errors
  FROM run r, LATERAL (
    SELECT count(*)::int AS n, count(*) FILTER (WHERE status = 1)::int AS good, sum(attempts)::int AS attempts,
      count(duration_ms)::int AS durations, count(quality)::int AS qualities, sum(quality)::float8 AS quality
    FROM outcome WHERE run_id = r.id
  ) o WHERE r.id = $1`;

const FLUSHES = `
  SELECT floor(extract(epoch FROM at))::int AS second, sum(cardinality(seqs))::int AS items FROM audit_flush WHERE run_id = $1 GROUP BY 1`;

interface Figures {
  outcomes: number;
  good: number;
  /** Sum of the tries that were counted. */
  attempts: number;
  durations: number;
  qualities: number;
  quality: number;
  twice: number;
  crashes: number;
  errors: { kind: string; message: string; count: number }[];
}

interface Mismatch {
  seq: number | null;
  kind: string | null;
}

/** Compares batches that have ended with what was sent, and adds them to the trial. */
export class SwiftExam {
  /** Tries of all items that were counted: what was executed beyond them was executed again. */
  attempts = 0;
  /** Items that were recorded in each second since 1970. */
  readonly perSecond = new Map<number, number>();

  constructor(
    private readonly cluster: Cluster,
    private readonly trial: Trial,
    private readonly struck: StruckLanes,
  ) {}

  /** Waits for the batch's end and compares it, item by item. What the audit has of it is removed. */
  async passes(batch: SwiftBatch): Promise<void> {
    const runId = await this.endOf(batch.id);
    await this.struck.learnOf(runId);
    const figures = await this.figuresOf(runId);
    await this.assertOutcomes(batch, runId);
    await this.assertCounts(batch, runId, figures);
    this.add(batch, figures);
    await this.takeFlushes(runId);
    await this.cluster.pool.query('DELETE FROM audit_lane WHERE run_id = $1', [runId]);
    await this.cluster.pool.query('DELETE FROM audit_run WHERE run_id = $1', [runId]);
  }

  private async endOf(batchId: string): Promise<string> {
    const sql = 'SELECT id, status, ended_at, total, sealed FROM run WHERE batch_id = $1';
    const run = await eventually(
      async () => (await this.cluster.pool.query<{ id: string; ended_at: Date | null }>(sql, [batchId])).rows[0]!,
      ({ ended_at: endedAt }) => endedAt !== null || this.trial.over,
      { withinMs: END_MS, pollMs: 100 },
    );
    if (run.ended_at === null) throw new Error('the trial is over');
    return run.id;
  }

  private async figuresOf(runId: string): Promise<Figures> {
    return (await this.cluster.pool.query<Figures>(FIGURES, [runId])).rows[0]!;
  }

  /** The one way for an item to read otherwise: whatever worked it alone was killed or stopped, twice. */
  private async assertOutcomes({ number, items, fails }: SwiftBatch, runId: string): Promise<void> {
    const { rows } = await this.cluster.pool.query<Mismatch>(MISMATCHED, [runId, number, items, fails]);
    const isQuarantined = ({ seq, kind }: Mismatch): boolean => kind === 'poison' && this.struck.timesAlone(runId, seq!) >= 2;
    this.trial.quarantined += rows.filter(isQuarantined).length;
    expect(rows.filter((row) => !isQuarantined(row))).toEqual([]);
  }

  private async assertCounts({ id, items }: SwiftBatch, runId: string, figures: Figures): Promise<void> {
    const counts = { total: items, succeeded: figures.good, failed: items - figures.good, skipped: 0, cancelled: 0 };
    expect(figures).toMatchObject({ status: 'completed', ...counts, outcomes: items, twice: 0 });
    const tally = await selectTally(this.cluster.pool, runId);
    expect({ durations: tally.durations.count, quality: tally.quality.count, sum: tally.quality.sum, errors: tally.errors }).toEqual({
      durations: figures.durations,
      quality: figures.qualities,
      sum: figures.quality,
      errors: figures.errors,
    });
    // Connections may just have been cut.
    const told = await eventually(() => this.cluster.client().get(id));
    expect(told).toMatchObject({ status: 'completed', progress: 100, counts: { ...counts, pending: 0, running: 0 } });
  }

  private add({ items }: SwiftBatch, { outcomes, twice, crashes, attempts }: Figures): void {
    const { totals } = this.trial;
    totals.items += items;
    totals.acknowledged += items;
    totals.lost += items - outcomes;
    totals.recordedTwice += twice;
    this.trial.crashes += crashes;
    this.attempts += attempts;
  }

  private async takeFlushes(runId: string): Promise<void> {
    const { rows } = await this.cluster.pool.query<{ second: number; items: number }>(FLUSHES, [runId]);
    for (const { second, items } of rows) this.perSecond.set(second, (this.perSecond.get(second) ?? 0) + items);
    await this.cluster.pool.query('DELETE FROM audit_flush WHERE run_id = $1', [runId]);
  }
}
