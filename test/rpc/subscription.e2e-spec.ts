import { EventBus } from '@nestjs/cqrs';
import { SignJWT } from 'jose';
import { type BatchEventRecord, toBatchEvent } from '../../src/batches/events/batch.events.js';
import { BatchFeeds } from '../../src/rpc/batch-feeds.js';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { createRpcClient, type RpcClient } from './client.js';

interface Watched {
  records: BatchEventRecord[];
  ids: string[];
  errors: { data?: { code: string } | null; message: string }[];
  complete: boolean;
  unsubscribe(): void;
}

function watch(trpc: RpcClient, input: { batchId: string; lastEventId?: number; follow?: boolean }): Watched {
  const watched: Watched = { records: [], ids: [], errors: [], complete: false, unsubscribe: () => undefined };
  const { unsubscribe } = trpc.batch.onEvent.subscribe(input, {
    onData: ({ id, data }) => {
      watched.ids.push(id);
      watched.records.push(data);
    },
    onError: (error) => watched.errors.push(error),
    onComplete: () => (watched.complete = true),
  });
  return Object.assign(watched, { unsubscribe });
}

const numbersOf = ({ records }: Watched) => records.map(({ seq }) => seq);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const completed = (watched: Watched) =>
  eventually(
    () => watched,
    ({ complete }) => complete,
    30_000,
  );

describe('a subscription to a batch', () => {
  let service: TestService;
  let trpc: RpcClient;

  beforeAll(async () => {
    service = await startTestService();
    trpc = createRpcClient(service.url);
  });
  afterAll(() => service.close());

  const slowBatch = (count = 40) =>
    trpc.batch.create.mutate({ operation: 'noop', filters: { count }, parameters: { durationMs: 100 }, options: { concurrency: 2 } });
  const openFeeds = () => service.app.get(BatchFeeds).size;

  it('gets every event once and in order, from the first to the last, and then ends', async () => {
    const { id: batchId } = await slowBatch();
    const watched = watch(trpc, { batchId });
    await completed(watched);
    expect(numbersOf(watched)).toEqual(upTo(watched.records.length));
    expect(watched.ids).toEqual(watched.records.map(({ seq }) => String(seq)));
    expect(watched.records[0]!.type).toBe('batch.created');
    expect(watched.records.filter(({ type }) => type === 'batch.progress').length).toBeGreaterThan(1);
    expect(watched.records.at(-1)).toMatchObject({ type: 'batch.completed', batchId, data: { progress: 100 } });
    expect(watched.records).toEqual(await trpc.batch.events.query({ batchId, limit: 1_000 }));
    await eventually(openFeeds, (size) => size === 0);
  });

  it('goes on after the event that it knows', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'] });
    const all = watch(trpc, { batchId });
    await completed(all);
    const rest = watch(trpc, { batchId, lastEventId: 1 });
    await completed(rest);
    expect(numbersOf(rest)).toEqual(numbersOf(all).slice(1));
    const nothing = watch(trpc, { batchId, lastEventId: all.records.length });
    await completed(nothing);
    expect(nothing.records).toEqual([]);
  });

  it('loses and doubles nothing when the connection breaks', async () => {
    const { proxy, url } = await TcpProxy.to(service.url);
    const { id: batchId } = await slowBatch(60);
    const watched = watch(createRpcClient(url.replace(/\/$/, '')), { batchId });
    await eventually(() => watched.records.length > 2, Boolean);
    proxy.cut();
    proxy.mend();
    await completed(watched);
    expect(numbersOf(watched)).toEqual(upTo(watched.records.length));
    expect(watched.records.at(-1)!.type).toBe('batch.completed');
    proxy.close();
  });

  it('passes on at once what this process hears, without a look into the log', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'], start: false });
    const watched = watch(trpc, { batchId });
    await eventually(() => watched.records.length === 1, Boolean);
    const unlogged: BatchEventRecord = { ...watched.records[0]!, seq: 2, type: 'batch.progress' };
    service.app.get(EventBus).publish(toBatchEvent(unlogged));
    await eventually(() => watched.records.length === 2, Boolean);
    expect(watched.records[1]).toEqual(unlogged);
    watched.unsubscribe();
  });

  it('tells of a cancelled batch when its last item has ended', async () => {
    const { id: batchId } = await slowBatch();
    const watched = watch(trpc, { batchId });
    await eventually(() => watched.records.length >= 2, Boolean);
    await trpc.batch.cancel.mutate({ batchId });
    await completed(watched);
    expect(watched.records.at(-1)!.type).toBe('batch.cancelled');
  });

  it('of a batch that was run again ends after its current run', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a', { payload: { fail: 'permanent' } }] });
    const following = watch(trpc, { batchId, follow: true });
    await completed(watch(trpc, { batchId }));
    await trpc.batch.retryItems.mutate({ batchId });
    const both = watch(trpc, { batchId });
    await completed(both);
    const ends = ({ records }: Watched) => records.filter(({ type }) => type === 'batch.completed').map(({ run }) => run);
    expect(ends(both)).toEqual([1, 2]);
    expect(numbersOf(both)).toEqual(upTo(both.records.length));
    await eventually(() => ends(following).length === 2, Boolean);
    expect(numbersOf(following)).toEqual(numbersOf(both));
    following.unsubscribe();
    await eventually(openFeeds, (size) => size === 0);
  });

  it('with follow stays open after the end, until it is closed, and leaves nothing behind', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'] });
    const watched = watch(trpc, { batchId, follow: true });
    await eventually(() => watched.records.at(-1)?.type === 'batch.completed', Boolean);
    expect(watched.complete).toBe(false);
    expect(openFeeds()).toBe(1);
    watched.unsubscribe();
    await eventually(openFeeds, (size) => size === 0);
  });

  it('of an unknown batch, or after what is no event, is refused', async () => {
    const unknown = watch(trpc, { batchId: 'nobody' });
    await eventually(() => unknown.errors.length > 0, Boolean);
    expect(unknown.errors[0]!.data).toMatchObject({ code: 'NOT_FOUND' });
    const wrong = watch(trpc, { batchId: 'nobody', lastEventId: -1 });
    await eventually(() => wrong.errors.length > 0, Boolean);
    expect(wrong.errors[0]!.data).toMatchObject({ code: 'BAD_REQUEST', details: { errors: [{ path: 'lastEventId' }] } });
    await eventually(openFeeds, (size) => size === 0);
  });

  it('shows while nothing happens that it is alive', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'], start: false });
    const response = await fetch(`${service.url}/trpc/batch.onEvent?input=${encodeURIComponent(JSON.stringify({ batchId }))}`);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    let text = '';
    for await (const bytes of response.body!.pipeThrough(new TextDecoderStream())) {
      text += bytes;
      if (text.includes('event: ping')) break;
    }
    expect(text).toContain('id: 1\n');
    await eventually(openFeeds, (size) => size === 0);
  });
});

test('a batch that another process works is followed although no message of it comes', async () => {
  const database = await createTestDatabase();
  const [here, there] = [
    await startTestService({ DATABASE_URL: database.url, ROLE: 'api' }),
    await startTestService({ DATABASE_URL: database.url }),
  ];
  const { id: batchId } = await createRpcClient(here.url).batch.create.mutate({ operation: 'noop', items: ['a'] });
  const watched = watch(createRpcClient(here.url), { batchId });
  await completed(watched);
  expect(numbersOf(watched)).toEqual(upTo(watched.records.length));
  expect(watched.records.at(-1)!.type).toBe('batch.completed');
  await here.close();
  await there.close();
  await database.drop();
});

test('the service stops while somebody subscribes, and tells that it may be tried again', async () => {
  const service = await startTestService();
  const trpc = createRpcClient(service.url);
  const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'], start: false });
  const response = await fetch(`${service.url}/trpc/batch.onEvent?input=${encodeURIComponent(JSON.stringify({ batchId }))}`);
  const text = response.text();
  const silent = await fetch(`${service.url}/trpc/batch.onEvent?input=${encodeURIComponent(JSON.stringify({ batchId }))}`);
  await eventually(() => service.app.get(BatchFeeds).size === 2, Boolean);
  await service.close();
  expect(await text).toMatch(/event: serialized-error\ndata: .*"code":"SERVICE_UNAVAILABLE"/);
  await silent.body!.cancel().catch(() => undefined);
});

describe('with tokens', () => {
  const SECRET = 'a secret of at least thirty-two characters';
  const token = (tenant: string, seconds: number) =>
    new SignJWT({ sub: 'ada', tenant, exp: Date.now() / 1000 + seconds })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(SECRET));
  let service: TestService;

  beforeAll(async () => (service = await startTestService({ JWT_SECRET: SECRET })));
  afterAll(() => service.close());

  const client = async (tenant: string, seconds = 600) => {
    const shown = await token(tenant, seconds);
    return createRpcClient(service.url, { authorization: `Bearer ${shown}` }, { token: shown });
  };

  it('a subscriber shows his as a connection parameter, and hears only of his own tenant', async () => {
    const acme = await client('acme');
    const { id: batchId } = await acme.batch.create.mutate({ operation: 'noop', items: ['a'] });
    const own = watch(acme, { batchId });
    await completed(own);
    const foreign = watch(await client('globex'), { batchId });
    await eventually(() => foreign.errors.length > 0, Boolean);
    expect(foreign.errors[0]!.data).toMatchObject({ code: 'NOT_FOUND' });
    const nobody = watch(createRpcClient(service.url), { batchId });
    await eventually(() => nobody.errors.length > 0, Boolean);
    expect(nobody.errors[0]!.data).toMatchObject({ code: 'UNAUTHORIZED' });
    expect([...foreign.records, ...nobody.records]).toEqual([]);
  });

  it('a subscription ends with its token', async () => {
    const acme = await client('acme', 3);
    const { id: batchId } = await acme.batch.create.mutate({ operation: 'noop', items: ['a'], start: false });
    const watched = watch(acme, { batchId });
    await eventually(() => watched.errors.length > 0, Boolean, 30_000);
    expect(watched.errors[0]!.data).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(watched.errors[0]!.message).toContain('expired');
    expect(numbersOf(watched)).toEqual([1]);
  });
});
