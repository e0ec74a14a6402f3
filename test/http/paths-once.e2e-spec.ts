import { Api, type Problem } from '../contracts/api.js';
import { createRpcClient, refusalOf } from '../rpc/client.js';
import { Engine } from '../support/engine.js';
import { eventually } from '../support/eventually.js';

let engine: Engine;
let api: Api;
/** By the word that stands for them in a path. */
let ids: Record<':id' | ':open' | ':ended', string>;

beforeAll(async () => {
  engine = await Engine.start({ UPLOADS_PER_HOUR: '1000' });
  api = new Api(engine.service.url);
  const create = async (input: object): Promise<string> => {
    return (await api.post<{ data: { id: string } }>('/api/batches', { operation: 'noop', ...input })).body.data.id;
  };
  ids = {
    ':id': await create({ items: ['a', 'b'], start: false }),
    ':open': await create({ items: [], open: true }),
    ':ended': await create({ items: ['a', { key: 'b', payload: { fail: 'permanent' } }] }),
  };
  await eventually(
    () => api.get<{ data: { endedAt: string | null } }>(`/api/batches/${ids[':ended']}`),
    ({ body }) => body.data.endedAt !== null,
  );
});
afterAll(() => engine.close());

const JOBS = '/api/v1/documents/batch-process';
const DEEP = JSON.parse('['.repeat(200) + ']'.repeat(200)) as unknown;
const LONG = 'x'.repeat(2_000);

/** Bad requests of every interface: method, path, body. */
const BAD: [method: string, path: string, body?: unknown][] = [
  ['POST', JOBS, {}],
  ['POST', JOBS, { documentIds: 'a', type: 'X' }],
  ['POST', JOBS, { documentIds: [], type: 'FULL_ANALYSIS' }],
  ['POST', JOBS, { documentIds: ['a', 5, '', null, LONG, 'a\0'], type: 'FULL_ANALYSIS' }],
  ['POST', JOBS, { documentIds: ['a'], type: 'FULL_ANALYSIS', options: { maxConcurrent: 0, timeout: 'x', retryDelay: -1, more: 1 } }],
  ['POST', JOBS, { documentIds: ['a'], type: 'FULL_ANALYSIS', options: [] }],
  ['GET', `${JOBS}?status=x&limit=0`],
  ['POST', '/api/batch/annotations/start', { imageIds: [1, '', LONG] }],
  ['POST', '/api/batch/annotations/start', { imageIds: ['a'], concurrency: 'x', rateLimitPerMinute: 0 }],
  ['POST', '/api/batch/create', {}],
  ['POST', '/api/batch/create', { operation: 'import', options: { modle: 'x', batchSize: 0, schedule: {} } }],
  ['POST', '/api/batch/create', { operation: 'import', options: { modle: 'x', batchSize: 'y' }, filters: { keyField: 'a' } }],
  ['POST', '/api/batch/create', { operation: 'import', options: { keyField: 'a', fileId: 'no' }, filters: {} }],
  ['POST', '/api/batch/create', { operation: 'import', options: { keyField: 'a' }, filters: { keyField: 'b' } }],
  ['POST', '/api/batch/create', { operation: 'annotate', options: { collection: 'not ok!' }, filters: {} }],
  ['POST', '/api/batch/create', { operation: 'annotate', filters: { status: { between: 1 }, 'a..b': 1, x: {} } }],
  ['POST', '/api/batch/create', { operation: 'annotate', filters: { status: { in: [] } } }],
  ['POST', '/api/batch/create', { operation: 'annotate', filters: { status: { exists: 'x' } } }],
  ['POST', '/api/batch/create', { operation: 'annotate', filters: 'all' }],
  ['POST', '/api/batch/create', { operation: 'annotate', filters: {}, options: { externalResults: 'yes' } }],
  ['POST', '/api/batch/create', { operation: 'noop', items: ['a'], total_items: 5 }],
  ['POST', '/api/batch/create', { operation: 'noop', items: [{ key: '' }, { kee: 1 }, 5] }],
  ['POST', '/api/batch/create', { operation: 'noop', items: ['a'], options: { resourceLimits: { maxMemoryMb: 1 } } }],
  ['POST', '/api/batch/create', { operation: 'noop', items: ['a'], options: { failureThreshold: {}, canary: {} } }],
  ['POST', '/api/batch/create', { operation: 'noop', items: ['a'], options: { failureThreshold: 5 } }],
  ['POST', '/api/batch/create', { operation: 'nobody-does-it', filters: {} }],
  ['GET', '/api/batch/history?limit=x&createdAfter=yesterday&status=odd'],
  ['DELETE', '/api/batch/cleanup', { daysToKeep: 'x' }],
  ['POST', '/api/batches', {}],
  ['POST', '/api/batches', { data: [1], operation: 'noop' }],
  ['POST', '/api/batches', []],
  ['POST', '/api/batches', { name: 5, data: 'x' }],
  ['POST', '/api/batches', { name: 'n', data: [1], priority: 'odd', config: { maxConcurrentJobs: 0, rollbackOnFailure: 1, odd: 2 } }],
  ['POST', '/api/batches', { name: 'n', data: [1], config: { resourceLimits: { maxMemory: -1, timeout: 'x' } } }],
  ['POST', '/api/batches', { name: 'n', data: [1], type: 'import', config: { parameters: { odd: 1 } } }],
  ['POST', '/api/batches', { name: 'n', data: [1], type: 'noop', config: { parameters: 'x' } }],
  ['POST', '/api/batches', { name: 'n', data: [DEEP] }],
  ['POST', '/api/batches', { operation: 'noop', items: ['a'], totalItems: 3 }],
  ['POST', '/api/batches', { operation: 'noop', items: ['a'], filters: { a: 1 } }],
  ['POST', '/api/batches', { operation: 'noop', items: 'a' }],
  ['POST', '/api/batches', { operation: 'import', parameters: { fileId: 5, keyField: 7 } }],
  ['POST', '/api/batches', { operation: 'import', parameters: DEEP }],
  ['POST', '/api/batches', { operation: 'noop', items: ['a'], source: [] }],
  [
    'POST',
    '/api/batches',
    { operation: 'noop', items: ['a'], options: { concurrency: 0, retryBackoff: 'odd', rateLimitPool: { name: '' } } },
  ],
  ['POST', '/api/batches', { operation: 'noop', items: ['a'], options: { canary: { items: 1, percent: 2 } } }],
  ['POST', '/api/batches', { operation: 'noop', external: true, items: ['a', 'a'] }],
  ['POST', '/api/batches', { operation: 'noop', external: true, items: ['a'], open: true }],
  ['POST', '/api/batches', { operation: 'noop', external: true, items: ['a'], start: true }],
  ['POST', '/api/batches', { operation: 'checked', parameters: { a: 1 }, items: ['a'] }],
  ['PATCH', '/api/batches/:id', { status: 'completed' }],
  ['PATCH', '/api/batches/:id', { options: { concurrency: 'x' }, odd: 1 }],
  ['PATCH', '/api/batches/:id', { config: { parameters: { odd: 1 } } }],
  ['POST', '/api/batches/:open/items', { items: 'x' }],
  ['POST', '/api/batches/:open/items', { items: [{ key: 5 }, { odd: 1 }] }],
  ['POST', '/api/batches/:ended/retry', { keys: ['a'], seqs: [1] }],
  ['POST', '/api/batches/:ended/retry', { errorMatch: 'exact' }],
  ['POST', '/api/batches/:ended/retry', { statuses: ['odd'], keys: 'x' }],
  ['POST', '/api/batches/:id/pause', { reason: 5 }],
  ['POST', '/api/batches/:id/results', { key: 5 }],
  ['POST', '/api/batches/:id/metrics', {}],
  ['GET', '/api/batches/:id/items?offset=1&fromSeq=2'],
  ['GET', '/api/batches/:id/items?limit=x'],
  ['GET', '/api/batches/:id/results?status=cancelled&key=a'],
  ['GET', '/api/batches/:id/items/abc/history?by=seq'],
  ['GET', '/api/batches?status=odd&type=a&operation=b'],
  ['GET', '/api/batches?type=a&operation=b'],
  ['PATCH', '/api/breakers/ai', {}],
  ['PATCH', '/api/breakers/ai', { forced: 'odd', failures: 0 }],
  ['PUT', '/api/records/letters/a', { fields: 5 }],
  ['PUT', '/api/records/letters/a', { fields: { a: 'x\0' }, odd: 1 }],
  ['PUT', '/api/records/not%20ok/a', { fields: {} }],
  ['GET', '/api/records/letters?filter=x'],
  ['GET', '/api/records/letters?filter={"a":{"odd":1}}'],
  ['GET', '/api/batch/jobs?status=odd&limit=x'],
];

const withIds = (path: string): string => Object.entries(ids).reduce((text, [word, id]) => text.replace(word, id), path);

/** Times that a path stands in a text as itself, and not as a part of a longer one. */
function timesIn(text: string, path: string): number {
  const parts = text.split(path);
  const isWhole = (at: number): boolean => !/[\w.-]$/.test(parts[at]!) && !/^(?:\.?\w|-)/.test(parts[at + 1]!);
  return parts.slice(0, -1).filter((_, at) => isWhole(at)).length;
}

function expectOnce({ message, details }: Pick<Problem, 'message' | 'details'>): void {
  for (const { path, message: sentence } of details.errors) {
    const isLine = /^line \d+: /.test(sentence);
    expect([sentence, isLine || sentence.startsWith(path), timesIn(sentence, path)]).toEqual([sentence, true, isLine ? 0 : 1]);
    expect([message, timesIn(message, path) > 1]).toEqual([message, false]);
  }
}

test('each wrong field of a request is named once, whichever interface refuses it', async () => {
  const unnamed: string[] = [];
  for (const [method, path, body] of BAD) {
    const { status, body: problem } = await api.send<Problem>(method, withIds(path), body);
    const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 100)}`;
    expect([what, [400, 409, 422].includes(status), problem.error]).toEqual([what, true, problem.message]);
    expectOnce(problem);
    if (problem.details.errors.length === 0) unnamed.push(what);
  }
  expect(unnamed).toEqual([]);
}, 60_000);

test('forms name their fields once too', async () => {
  const forms: [string, string, Blob | string][] = [
    ['file', 'text', 'no file'],
    ['files', 'a.csv', new Blob(['a\n1'])],
    ['priority', '', 'odd'],
    ['odd', '', 'x'],
    ['file', ' ', new Blob(['a\n1'])],
    ['file', `${LONG}.csv`, new Blob(['a\n1'])],
    ['file', 'a.exe', new Blob(['MZ\0\0'])],
  ];
  for (const [field, name, value] of forms) {
    const form = new FormData();
    if (typeof value === 'string') form.set(field, value);
    else form.set(field, value, name);
    const response = await fetch(`${engine.service.url}/api/batch/upload`, { method: 'POST', body: form });
    const problem = (await response.json()) as Problem;
    expect(problem.details.errors).toHaveLength(1);
    expectOnce(problem);
  }
});

test('procedures name their fields once too', async () => {
  const rpc = createRpcClient(engine.service.url);
  const calls = [
    () => rpc.batch.create.mutate({ operation: 'noop', items: ['a'], options: { concurrency: 0 } }),
    () => rpc.batch.create.mutate({ operation: 'import', parameters: { fileId: 'no' } }),
    () => rpc.batch.create.mutate({ operation: 'noop', items: 'a' as never }),
    () => rpc.breakers.update.mutate({ provider: 'ai' }),
  ];
  for (const call of calls) {
    const { shape } = await refusalOf(call());
    expect(shape!.data.details.errors).not.toEqual([]);
    expectOnce({ message: shape!.message, details: shape!.data.details });
  }
});
