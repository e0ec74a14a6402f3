import { setTimeout as delay } from 'node:timers/promises';
import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import { OUTCOME_STATUS } from '../../src/batches/entities/outcome.entity.js';
import type { Trialled } from './cluster.js';
import { eventually } from './eventually.js';
import type { Execution } from './execution-log.js';
import { assertInvariants } from './invariants.js';
import { Submitter } from './submitter.js';
import type { Trial } from './trial.js';

interface WorkloadOptions {
  /** Batches that are under way at the same time. */
  atOnce: number;
  /** Of each batch. */
  items: number;
  durationMs: number;
  options?: BatchOptionsInput;
}

interface RunRow {
  id: string;
  status: string;
  ended: boolean;
  /** For whoever reads why it did not end. */
  lanes: unknown;
}

interface EndedRow {
  status: string;
  total: number;
  succeeded: number;
  outcomes: number;
  twice: number;
  /** Tries that were counted, of the item with the most. A crash counts none. */
  tries: number;
  crashes: number;
  failures: { seq: number; kind: string; error: string }[];
}

const END_MS = 120_000;

/**
 * Batches, one after the other, that keep a cluster busy while faults are injected. Each is looked at when it has ended, item by item,
 * against what its client was told and what was executed, and then deleted: the laws are checked after every fault, and look at all there is.
 */
export class Workload {
  readonly submitter: Submitter;
  private stopping = false;

  constructor(
    private readonly cluster: Trialled,
    private readonly trial: Trial,
    private readonly options: WorkloadOptions,
  ) {
    this.submitter = new Submitter(cluster);
    for (let n = 0; n < options.atOnce; n += 1) trial.alongside(this.keepOneUnderWay());
  }

  /** Lets what is under way end. */
  async finish(): Promise<void> {
    this.stopping = true;
    await this.trial.settle();
    await this.submitter.assertNothingHalf();
    await assertInvariants(this.cluster, { audited: true });
    expect(this.cluster.deaths).toEqual([]);
  }

  private async keepOneUnderWay(): Promise<void> {
    while (!this.stopping && !this.trial.over) {
      const answer = await this.submitter.create(this.batch());
      if (answer !== 'unknown' && 'created' in answer) await examine(this.cluster, this.trial, answer.created);
      else await delay(100);
    }
  }

  private batch() {
    const { items, durationMs, options } = this.options;
    return { operation: 'trial', items: Array.from({ length: items }, () => ({ payload: { durationMs } })), options };
  }
}

const RUN = `
  SELECT r.id, r.status, r.ended_at IS NOT NULL AS ended, (
    SELECT json_agg(json_build_object('no', no, 'fence', fence, 'claimed', claimed_at, 'until', lease_until)) FROM lane WHERE run_id = r.id
  ) AS lanes
  FROM run r WHERE r.batch_id = $1`;

const ENDED = `
  SELECT r.status, r.total, r.succeeded,
    (SELECT count(*)::int FROM outcome WHERE run_id = r.id) AS outcomes,
    (SELECT count(*)::int FROM (SELECT FROM audit_outcome WHERE run_id = r.id GROUP BY seq HAVING count(*) > 1) t) AS twice,
    (SELECT max(attempts)::int FROM outcome WHERE run_id = r.id) AS tries,
    (SELECT sum(crashes)::int FROM chunk WHERE run_id = r.id) AS crashes,
    (
      SELECT coalesce(json_agg(json_build_object('seq', seq, 'kind', error_kind, 'error', error)), '[]')
      FROM outcome WHERE run_id = r.id AND status = ${OUTCOME_STATUS.failed}
    ) AS failures
  FROM run r WHERE r.id = $1`;

/** Waits for the end of an acknowledged batch of items that succeed, adds what became of them to the trial, and deletes it. */
export async function examine(
  cluster: Trialled,
  trial: Trial,
  { id, items }: { id: string; items: number },
  endMs = END_MS,
): Promise<void> {
  const run = await eventually(
    async () => (await cluster.pool.query<RunRow>(RUN, [id])).rows[0]!,
    ({ ended }) => ended,
    { withinMs: endMs, pollMs: 200 },
  );
  const ended = await eventually(async () => (await cluster.pool.query<EndedRow>(ENDED, [run.id])).rows[0]!, undefined, endMs);
  const executions = cluster.log.of(id);
  const runs = [...executions.values()];
  const executionsOf = (seq: number): readonly Execution[] => [...executions].find(([key]) => key.endsWith(`:${seq}`))?.[1] ?? [];
  for (const of of runs) for (let n = 1; n < of.length; n += 1) trial.tookUpAgain(of[n - 1]!, of[n]!);
  const count = runs.reduce((sum, of) => sum + of.length, 0);
  trial.totals.items += items;
  trial.totals.acknowledged += items;
  trial.totals.lost += items - ended.outcomes;
  trial.totals.recordedTwice += ended.twice;
  trial.totals.executions += count;
  trial.crashes += ended.crashes;
  trial.totals.reExecuted += count - executions.size;
  // The one way for such an item to fail: whoever worked it alone was killed, twice.
  const quarantined = ended.failures.filter(({ seq, kind }) => kind === 'poison' && trial.wereKilled(executionsOf(seq)));
  trial.quarantined += quarantined.length;
  const expected = { status: 'completed', total: items, succeeded: items - quarantined.length, executed: items, tries: 1 };
  expect({ ...ended, executed: executions.size }).toMatchObject({ ...expected, failures: quarantined });
  await forget(cluster, id, run.id);
}

async function forget(cluster: Trialled, batchId: string, runId: string): Promise<void> {
  await eventually(
    async () => {
      await cluster.pool.query('DELETE FROM audit_outcome WHERE run_id = $1', [runId]);
      await cluster.pool.query('DELETE FROM audit_run WHERE run_id = $1', [runId]);
      const response = await fetch(`${cluster.client().url}/api/batches/${batchId}`, { method: 'DELETE' });
      if (!response.ok && response.status !== 404)
        throw new Error(`the batch was not deleted: ${response.status} ${await response.text()}`);
    },
    undefined,
    END_MS,
  );
  cluster.log.forget(batchId);
}
