import type { BatchView } from '../../src/batches/batch.view.js';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { Listener } from './listener.js';

let service: TestService;
let api: Api;
let listener: Listener;

beforeAll(async () => {
  service = await startTestService();
  api = new Api(service.url);
  listener = await Listener.connect(service.url);
});
afterAll(async () => {
  listener.close();
  await service.close();
});

const create = async (fields: object) =>
  (await api.post<{ data: BatchView }>('/api/batches', { operation: 'noop', ...fields })).body.data.id;
const told = (id: string) => listener.of(id).filter(({ name }) => name === 'batch.notification');
const kinds = (id: string) => told(id).map(({ payload }) => payload.kind);
const FAILING = [{ payload: { fail: 'permanent' } }];
const ALL = { notifyOnStart: true, notifyOnComplete: true, notifyOnError: true };

describe('a batch notifies', () => {
  it('of its start, when asked to', async () => {
    const id = await create({ items: ['a'], name: 'Letters', options: { notifyOnStart: true } });
    await listener.until('batch.completed', id);
    expect(told(id).map(({ payload }) => payload)).toEqual([
      { batchId: id, name: 'Letters', kind: 'started', status: 'running', progress: 0, message: 'Letters started' },
    ]);
  });

  it.each([
    ['a completed batch with notifyOnComplete', ['a'], { notifyOnComplete: true }, ['ended']],
    ['a completed batch with notifyOnError', ['a'], { notifyOnError: true }, []],
    ['a failed batch with notifyOnComplete', FAILING, { notifyOnComplete: true }, ['ended']],
    ['a failed batch with notifyOnError', FAILING, { notifyOnError: true }, ['ended']],
    ['a failed batch with both, once', FAILING, ALL, ['started', 'ended']],
    ['a batch that did not ask', ['a'], {}, []],
  ])('of its end as asked: %s', async (_what, items, options, expected) => {
    const id = await create({ items, options });
    await listener.until(items === FAILING ? 'batch.failed' : 'batch.completed', id);
    // Sockets get messages in order: after another batch's end, nothing of this one is on its way.
    await listener.until('batch.completed', await create({ items: ['after'] }));
    expect(kinds(id)).toEqual(expected);
  });

  it('of its end when it is cancelled, with notifyOnComplete alone', async () => {
    const items = { items: ['a'], parameters: { durationMs: 60_000 } };
    const [complete, error] = [
      await create({ ...items, options: { notifyOnComplete: true } }),
      await create({ ...items, options: { notifyOnError: true } }),
    ];
    for (const id of [complete, error]) {
      await api.post(`/api/batches/${id}/cancel`);
      await listener.until('batch.cancelled', id);
    }
    const { payload } = await listener.until('batch.notification', complete);
    expect(payload.message).toBe('noop was cancelled: 0 of 1 succeeded, 0 failed (cancelled on request)');
    expect(kinds(error)).toEqual([]);
  });

  it('of running out of time, with notifyOnError', async () => {
    const id = await create({ items: ['a'], parameters: { durationMs: 60_000 }, options: { batchTimeout: 300, notifyOnError: true } });
    const { payload } = await listener.until('batch.notification', id);
    expect(payload).toMatchObject({ kind: 'ended', status: 'timed_out', message: expect.stringContaining('noop timed out') });
  });

  it('of each mark it passes, once', async () => {
    const options = { notifyProgressInterval: 25, notifyOnComplete: true, concurrency: 1 };
    const id = await create({ filters: { count: 20 }, parameters: { durationMs: 200 }, options });
    await listener.until('batch.completed', id);
    await listener.until('batch.completed', await create({ items: ['after'] }));
    expect(kinds(id).at(-1)).toBe('ended');
    const marks = told(id).slice(0, -1);
    expect(marks.map(({ payload }) => payload.message)).toEqual([
      'noop has reached 25 %',
      'noop has reached 50 %',
      'noop has reached 75 %',
    ]);
    for (const { payload } of marks) expect(payload).toMatchObject({ kind: 'progress', status: 'running', progress: expect.any(Number) });
  });

  it('of the highest mark alone when it passes several at once', async () => {
    const id = await create({ items: ['a', 'b'], options: { notifyProgressInterval: 10 } });
    await listener.until('batch.completed', id);
    await listener.until('batch.completed', await create({ items: ['after'] }));
    const messages = told(id).map(({ payload }) => payload.message);
    // There is nothing between one and two of two items: of the ten marks only these can be seen.
    const visible = ['noop has reached 50 %', 'noop has reached 90 %', 'noop has reached 100 %'];
    expect(messages).toEqual(visible.filter((message) => messages.includes(message)));
    expect(messages.at(-1)).toBe('noop has reached 100 %');
  });

  it('of no mark that an earlier run has reached', async () => {
    const items = ['a', 'b', 'c', { payload: { fail: 'permanent' } }];
    const id = await create({ items, options: { notifyProgressInterval: 50, notifyOnComplete: true } });
    await listener.until('batch.completed', id);
    await api.post(`/api/batches/${id}/retry`, {});
    await eventually(() => kinds(id).filter((kind) => kind === 'ended').length === 2, Boolean);
    const [, ofSecondRun] = kinds(id).join().split('ended,');
    expect(ofSecondRun).toBe('ended');
  });
});
