import { setTimeout as delay } from 'node:timers/promises';
import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { Cluster } from './cluster.js';
import { eventually } from './eventually.js';
import { assertInvariants } from './invariants.js';
import { SwiftExam } from './swift-exam.js';
import { ndjsonOf, type SwiftBatch } from './swift-items.js';
import type { StruckLanes } from './struck-lanes.js';
import type { Trial } from './trial.js';

interface Kind {
  options?: BatchOptionsInput;
  /** skip: what has come is worked while the rest still comes. */
  onInvalid: 'refuse' | 'skip';
  fails: boolean;
}

/** In turn: as it comes, of small chunks, with items that fail, and all of that. */
const KINDS: Kind[] = [
  { onInvalid: 'refuse', fails: false },
  { onInvalid: 'skip', fails: false, options: { batchSize: 50 } },
  { onInvalid: 'skip', fails: true, options: { retryDelay: 200 } },
  { onInvalid: 'refuse', fails: true, options: { batchSize: 50, retryDelay: 200 } },
];
const CONCURRENCY = 200;
const END_MS = 120_000;
const ASK_AGAIN_MS = 100;

/**
 * Clients that stream large batches of no-op items into a cluster, one after the other, over HTTP. When a request fails its client asks
 * what has become of it, and sends the rest. Each batch is compared with what was sent when it has ended, and then deleted.
 */
export class SwiftLoad {
  readonly exam: SwiftExam;
  /** How often each status refused. */
  readonly refusals = new Map<number, number>();
  /** Requests that broke off without an answer. */
  unanswered = 0;
  private batches = 0;
  private stopping = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly trial: Trial,
    private readonly options: { atOnce: number; items: number; struck: StruckLanes },
  ) {
    this.exam = new SwiftExam(cluster, trial, options.struck);
    for (let n = 0; n < options.atOnce; n += 1) trial.alongside(this.keepOneUnderWay());
  }

  /** Lets what is under way end. */
  async finish(): Promise<void> {
    this.stopping = true;
    await this.trial.settle();
    await assertInvariants(this.cluster, { audited: true });
    expect(this.cluster.deaths).toEqual([]);
  }

  private async keepOneUnderWay(): Promise<void> {
    while (!this.stopping && !this.trial.over) {
      const number = (this.batches += 1);
      const kind = KINDS[number % KINDS.length]!;
      const id = await this.create(number, kind);
      const batch = { id, number, items: this.options.items, fails: kind.fails };
      await this.addItems(batch, kind);
      await this.exam.passes(batch);
      await this.forget(id);
    }
  }

  private async create(number: number, { options }: Kind): Promise<string> {
    const body = JSON.stringify({ operation: 'swift', options: { concurrency: CONCURRENCY, ...options }, open: true, start: true });
    const headers = { 'content-type': 'application/json', 'idempotency-key': `swift-${number}` };
    for (;;) {
      const answer = await this.ask('', { method: 'POST', headers, body });
      if (answer) return answer.id;
      await this.pause();
    }
  }

  /** Until all are there and the batch is sealed: what a broken request has left there is not sent again. */
  private async addItems(batch: SwiftBatch, { onInvalid }: Kind): Promise<void> {
    for (let there = { total: 0, sealed: false }; !there.sealed; there = await this.lookAt(batch.id)) {
      if (there.total === batch.items) await this.ask(`/${batch.id}/seal`, { method: 'POST' });
      else await this.sendItems(batch, there.total, onInvalid);
    }
  }

  private async sendItems(batch: SwiftBatch, from: number, onInvalid: string): Promise<void> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: ndjsonOf(batch, from),
      duplex: 'half' as const,
    };
    if (!(await this.ask(`/${batch.id}/items?seal=true&onInvalid=${onInvalid}`, init))) await this.pause();
  }

  private async lookAt(id: string): Promise<{ total: number; sealed: boolean }> {
    for (;;) {
      const found = await this.ask(`/${id}`, {});
      if (found) return { total: found.counts.total, sealed: found.sealed };
      await this.pause();
    }
  }

  /** @returns undefined when it was refused for the moment, or nobody knows what became of it */
  private async ask(path: string, init: RequestInit): Promise<BatchView | undefined> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.cluster.client().url}/api/batches${path}`, init);
      text = await response.text();
    } catch {
      this.unanswered += 1;
      return undefined;
    }
    if (response.ok) return (JSON.parse(text) as { data: BatchView }).data;
    this.refusals.set(response.status, (this.refusals.get(response.status) ?? 0) + 1);
    if (!response.headers.has('retry-after')) throw new Error(`${init.method} ${path} answered ${response.status}: ${text}`);
    return undefined;
  }

  private pause(): Promise<void> {
    if (this.trial.over) throw new Error('the trial is over');
    return delay(ASK_AGAIN_MS);
  }

  private async forget(id: string): Promise<void> {
    await eventually(
      async () => {
        const response = await fetch(`${this.cluster.client().url}/api/batches/${id}`, { method: 'DELETE' });
        if (!response.ok && response.status !== 404)
          throw new Error(`the batch was not deleted: ${response.status} ${await response.text()}`);
      },
      undefined,
      END_MS,
    );
  }
}
