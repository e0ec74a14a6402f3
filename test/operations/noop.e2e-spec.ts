import type { BatchView } from '../../src/batches/batch.view.js';
import type { ItemView, OutcomeView } from '../../src/batches/item.view.js';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

type Reply<Data> = { data: Data };

describe('the operation noop', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  const create = async (input: object) => (await api.post<Reply<BatchView>>('/api/batches', { operation: 'noop', ...input })).body.data.id;

  const finish = async (input: object) => {
    const id = await create({ options: { retryAttempts: 3, retryDelay: 5, ...(input as { options?: object }).options }, ...input });
    const { body } = await eventually(
      () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
      (answer) => answer.body.data.endedAt !== null,
    );
    const results = await api.get<Reply<OutcomeView[]>>(`/api/batches/${id}/results?limit=1000`);
    return { batch: body.data, results: results.body.data };
  };

  test('makes as many items as the filters or the parameters say', async () => {
    expect((await finish({ filters: { count: 1_200 } })).batch.counts).toMatchObject({ total: 1_200, succeeded: 1_200 });
    expect((await finish({ parameters: { count: 3 } })).results.map(({ key }) => key)).toEqual(['1', '2', '3']);
  });

  test('answers what it is given', async () => {
    const { results } = await finish({ items: [{ key: 'a', payload: { output: { x: 1 } } }, 'b'] });
    expect(results).toMatchObject([
      { key: 'a', output: { x: 1 } },
      { key: 'b', output: null },
    ]);
  });

  test('fails as it is told: for good, some times, with "not now"', async () => {
    const { results } = await finish({
      items: [
        { key: 'permanent', payload: { fail: 'permanent' } },
        { key: 'retryable', payload: { fail: 'retryable' } },
        { key: 'twice', payload: { fail: 'retryable', times: 2 } },
        { key: 'later', payload: { fail: 'later', times: 3 } },
      ],
    });
    expect(results).toMatchObject([
      { key: 'permanent', status: 'failed', attempts: 1, error: { kind: 'permanent' } },
      { key: 'retryable', status: 'failed', attempts: 4, error: { kind: 'retryable' } },
      { key: 'twice', status: 'succeeded', attempts: 3 },
      { key: 'later', status: 'succeeded', attempts: 1 },
    ]);
  });

  test('fails by chance, and by the same chance again', async () => {
    const input = { filters: { count: 500 }, parameters: { failureRate: 0.2 }, options: { retryAttempts: 0 } };
    const [first, second] = [await finish(input), await finish(input)];
    const failed = (results: OutcomeView[]) => results.filter(({ status }) => status === 'failed').map(({ key }) => key);
    expect(failed(first.results).length).toBeGreaterThan(60);
    expect(failed(first.results).length).toBeLessThan(140);
    expect(failed(second.results)).toEqual(failed(first.results));
  });

  test('takes as long as it is told, and stops when the batch is cancelled', async () => {
    const { results } = await finish({ items: [{ payload: { durationMs: 80 } }] });
    expect(results[0]!.durationMs).toBeGreaterThanOrEqual(75);
    const id = await create({ items: [{ payload: { durationMs: 600_000 } }] });
    await eventually(
      () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
      ({ body }) => body.data.counts.running === 1,
    );
    await api.post(`/api/batches/${id}/cancel`);
    await eventually(
      () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
      ({ body }) => body.data.status === 'cancelled' && !body.data.stopping,
    );
  });

  test('a long item tells how far it is', async () => {
    const id = await create({ items: [{ key: 'slow', payload: { durationMs: 3_000 } }] });
    await eventually(
      () => api.get<Reply<ItemView[]>>(`/api/batches/${id}/items`),
      ({ body }) => (body.data[0]?.progress ?? 0) >= 10,
    );
    await api.post(`/api/batches/${id}/cancel`);
  });

  describe('is refused what harms others', () => {
    const refused = 'its hang is for tests and harms others; only a service that is started with NOOP_FAULTS=true takes it';
    const hang = { key: 'x', payload: { hang: true } };
    const lines = (...items: object[]) => items.map((item) => JSON.stringify(item)).join('\n');

    test('in a list, a stream and a new payload', async () => {
      const answer = await api.post('/api/batches', { operation: 'noop', items: [{ key: 'a' }, hang] });
      expect(answer).toMatchObject({ status: 400, body: { details: { errors: [{ path: 'items.1', message: `line 2: ${refused}` }] } } });

      const id = await create({ open: true });
      const stream = (query: string, body: string) =>
        fetch(`${service.url}/api/batches/${id}/items?${query}`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-ndjson' },
          body,
        });
      expect((await stream('onInvalid=refuse', lines({ key: 'a' }, hang))).status).toBe(400);
      const skipped = (await (
        await stream('onInvalid=skip&seal=true', lines({ key: 'a', payload: { fail: 'permanent' } }, hang))
      ).json()) as object;
      expect(skipped).toMatchObject({ data: { added: 1, skipped: 1, problems: [{ line: 2, message: refused }] } });
      await api.post(`/api/batches/${id}/start`);
      await eventually(
        () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
        ({ body }) => body.data.endedAt !== null,
      );
      expect(await api.post(`/api/batches/${id}/items/a/retry`, { payload: { hang: true } })).toMatchObject({
        status: 400,
        body: { message: `payload: ${refused}` },
      });
    });

    test('and fails at once what came in all the same', async () => {
      const id = await create({ open: true });
      const body = '{"key":"x","payload":{"h\\u0061ng":true}}';
      await fetch(`${service.url}/api/batches/${id}/items?seal=true`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
      });
      await api.post(`/api/batches/${id}/start`);
      const ended = await eventually(
        () => api.get<Reply<OutcomeView[]>>(`/api/batches/${id}/results`),
        ({ body: { data } }) => data.length === 1,
      );
      expect(ended.body.data[0]).toMatchObject({ status: 'failed', attempts: 1, error: { kind: 'permanent', message: refused } });
    });
  });
});
