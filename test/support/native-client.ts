import type { BatchView } from '../../src/batches/batch.view.js';

/** What tests ask of a service over its native REST interface. */
export class NativeClient {
  constructor(public url: string) {}

  async create(body: object): Promise<BatchView> {
    return this.post('/api/batches', JSON.stringify(body), 'application/json');
  }

  /** @param lines NDJSON, as text or made while it is sent */
  async addItems(batchId: string, lines: string | ReadableStream, query = 'seal=true'): Promise<{ added: number; total: number }> {
    return this.post(`/api/batches/${batchId}/items?${query}`, lines, 'application/x-ndjson');
  }

  start(batchId: string): Promise<BatchView> {
    return this.post(`/api/batches/${batchId}/start`, '{}', 'application/json');
  }

  pause(batchId: string): Promise<BatchView> {
    return this.post(`/api/batches/${batchId}/pause`, '{}', 'application/json');
  }

  resume(batchId: string): Promise<BatchView> {
    return this.post(`/api/batches/${batchId}/resume`, '{}', 'application/json');
  }

  async get(batchId: string): Promise<BatchView> {
    const response = await fetch(`${this.url}/api/batches/${batchId}`);
    return this.data(response);
  }

  /** Asks again and again, also while the service is away, until the batch is as wanted. */
  async waitFor(batchId: string, wanted: (batch: BatchView) => boolean, withinMs = 120_000): Promise<BatchView> {
    const deadline = Date.now() + withinMs;
    let last: BatchView | undefined;
    while (Date.now() < deadline) {
      last = await this.get(batchId).catch(() => undefined);
      if (last && wanted(last)) return last;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`batch ${batchId} did not become as wanted within ${withinMs} ms; it is ${JSON.stringify(last)}`);
  }

  waitForEnd(batchId: string, withinMs?: number): Promise<BatchView> {
    return this.waitFor(batchId, (batch) => batch.endedAt !== null, withinMs);
  }

  private async post<T>(path: string, body: string | ReadableStream, type: string): Promise<T> {
    const init = { method: 'POST', headers: { 'content-type': type }, body, duplex: 'half' as const };
    return this.data<T>(await fetch(`${this.url}${path}`, init));
  }

  private async data<T>(response: Response): Promise<T> {
    const body = (await response.json()) as { data: T };
    if (!response.ok) throw new Error(`${response.status}: ${JSON.stringify(body)}`);
    return body.data;
  }
}

/** NDJSON of `count` items with keys from 1, made as it is read. */
export function ndjsonItems(count: number, payload: object = {}): ReadableStream {
  const tail = `","payload":${JSON.stringify(payload)}}\n`;
  const encoder = new TextEncoder();
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      let text = '';
      for (const until = Math.min(count, sent + 2_000); sent < until;) text += `{"key":"${(sent += 1)}${tail}`;
      controller.enqueue(encoder.encode(text));
      if (sent >= count) controller.close();
    },
  });
}
