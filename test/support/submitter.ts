import { randomUUID } from 'node:crypto';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { Trialled } from './cluster.js';
import { eventually } from './eventually.js';

interface Submitted {
  id: string;
  name: string;
  items: number;
}

/** How an attempt to create a batch ended, as its client sees it. */
type Answer = { created: Submitted } | { refused: number } | 'unknown';

const ANSWER_MS = 30_000;

const MADE = `
  SELECT b.name, count(DISTINCT b.id)::int AS times, sum(c.size)::int AS items
  FROM batch b LEFT JOIN chunk c ON c.run_id = b.run_id AND c.no >= 0 AND c.state <> 3
  WHERE b.name LIKE '% by ' || $1 GROUP BY 1`;

/** A client that creates batches and writes down what it was told: acknowledged, refused, or nothing, which leaves it in the dark. */
export class Submitter {
  readonly acknowledged: (Submitted & { at: number })[] = [];
  /** Requests without an answer: nobody knows whether their batches are there. */
  unknown = 0;
  /** How often each status refused. 0: no api process served. */
  readonly refusals = new Map<number, number>();
  /** What was said, and what its process printed last, when the service took a fault for its own. */
  readonly failures: string[] = [];
  inFlight = 0;
  /** Numbers of items of all attempts, by the batch's name. */
  private readonly sizes = new Map<string, number>();
  private readonly id = randomUUID();

  constructor(private readonly cluster: Trialled) {}

  get attempts(): number {
    return this.sizes.size;
  }

  async create(body: { operation: string; items: unknown[]; options?: object }): Promise<Answer> {
    const name = `submitted ${this.attempts + 1} by ${this.id}`;
    this.sizes.set(name, body.items.length);
    this.inFlight += 1;
    const answer = await this.send({ ...body, name }).finally(() => (this.inFlight -= 1));
    if (answer === 'unknown') this.unknown += 1;
    else if ('refused' in answer) this.refusals.set(answer.refused, (this.refusals.get(answer.refused) ?? 0) + 1);
    else this.acknowledged.push({ ...answer.created, at: Date.now() });
    return answer;
  }

  /** Whatever its client was told: a batch is there once and whole, or it is not there at all. */
  async assertNothingHalf(): Promise<void> {
    const { rows } = await eventually(() => this.cluster.pool.query<{ name: string; items: number; times: number }>(MADE, [this.id]));
    for (const { name, items, times } of rows) expect({ name, items, times }).toEqual({ name, items: this.sizes.get(name), times: 1 });
  }

  private async send(body: { name: string; items: unknown[] }): Promise<Answer> {
    const { apis } = this.cluster;
    const api = apis[this.attempts % apis.length];
    if (!api) return { refused: 0 };
    try {
      const response = await fetch(`${api.url}/api/batches`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      if (response.status === 503 && !response.headers.has('retry-after')) throw new Error('503 without Retry-After');
      if (response.status === 500) this.failures.push(`${await response.text()}\n${api.output().slice(-4_000)}`);
      if (!response.ok) return { refused: response.status };
      const { data } = (await response.json()) as { data: BatchView };
      return { created: { id: data.id, name: body.name, items: body.items.length } };
    } catch {
      return 'unknown';
    }
  }
}
