import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { PermanentError, RetryLaterError } from '../../src/operations/item-handler.js';
import { Api } from '../contracts/api.js';
import { Engine, type ItemScript } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

const HOUR_MS = 3_600_000;
/** The first retry comes at once, the second one never. */
const RETRIES = { retryAttempts: 3, retryBackoff: 'exponential' as const, retryDelay: 1, retryMaxDelay: HOUR_MS, retryJitter: false };

let engine: Engine;
let api: Api;

beforeAll(async () => {
  engine = await Engine.start({ API_KEYS: 'acme:acme-key-0123456789' });
  api = new Api(engine.service.url, { 'x-api-key': 'acme-key-0123456789' });
});
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const hang = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

/** Does with each item what its key says. */
const script: ItemScript = async ({ key, attempt }, { signal }) => {
  if (key === 'fine') return { output: { well: true } };
  if (key === 'fatal') throw new PermanentError('it is broken for good');
  if (key === 'later') throw new RetryLaterError('the provider is busy (HTTP 429)', HOUR_MS);
  if (key === 'hangs' || attempt > 1) return hang(signal);
  throw new Error(`no luck with ${key}`);
};

const KEYS = ['fine', 'fatal', 'later', 'hangs', 'again', 'waits'];

const start = (options: object, items = KEYS): Promise<BatchView> => engine.run(script, { items, options: { ...RETRIES, ...options } });

const read = async <T>(path: string): Promise<T> => (await api.get<T>(path)).body;

/** What each interface says of the batch's failures, as `key: message`. */
async function errorsByInterface(id: string): Promise<Record<string, string[]>> {
  const native = await read<{ data: OutcomeView[] }>(`/api/batches/${id}/results?status=cancelled`);
  const documents = await read<{ data: { errors: { documentId: string; error: string }[] } }>(`/api/v1/documents/batch-process/${id}`);
  const annotations = await read<{ errors: { itemId: string; error: string }[] }>(`/api/batch/annotations/${id}/status`);
  const erp = await read<{ batch: { results: { nodeId: string; success: boolean; error?: string }[] } }>(`/api/batch/${id}/results`);
  const service = await read<{ data: { errors: { message: string; context?: { key?: string } }[] } }>(`/api/batches/${id}`);
  const uploads = await read<{ data: { files: { id: string; error?: string }[] } }>(`/api/batch/jobs/${id}`);
  return {
    native: native.data.map(({ key, error }) => `${key}: ${error!.message}`),
    documents: documents.data.errors.map(({ documentId, error }) => `${documentId}: ${error}`),
    annotations: annotations.errors.map(({ itemId, error }) => `${itemId}: ${error}`),
    erp: erp.batch.results.filter(({ success }) => !success).map(({ nodeId, error }) => `${nodeId}: ${error}`),
    service: service.data.errors.filter(({ context }) => context?.key).map(({ message, context }) => `${context!.key}: ${message}`),
    uploads: uploads.data.files.flatMap(({ id: file, error }) => (error === undefined ? [] : [`${file}: ${error}`])),
  };
}

const INTERRUPTED = expect.stringMatching(/^hangs: no result after \d+ ms, when the batch was stopped$/);

test('a batch that ran out of time tells everywhere what its items last ran into, and which were still at work', async () => {
  const { id } = await start({ batchTimeout: 2_500, concurrency: 6, batchSize: 1 });
  expect(await engine.ended({ id }, 20_000)).toMatchObject({ status: 'timed_out', counts: { succeeded: 1, failed: 1, cancelled: 4 } });
  const undone = ['later: the provider is busy (HTTP 429)', INTERRUPTED, 'again: no luck with again', 'waits: no luck with waits'];
  const failed = ['fatal: it is broken for good', ...undone];
  const { uploads, native, ...others } = await errorsByInterface(id);
  expect(native).toEqual(undone);
  expect(others).toEqual({ documents: failed, annotations: failed, erp: failed, service: failed });
  expect(uploads).toEqual([
    'fatal: it is broken for good',
    'later: Job timeout exceeded; the last time: the provider is busy (HTTP 429)',
    expect.stringMatching(/^hangs: Job timeout exceeded; the last time: no result after \d+ ms/),
    'again: Job timeout exceeded; the last time: no luck with again',
    'waits: Job timeout exceeded; the last time: no luck with waits',
  ]);
  const { data: analytics } = await read<{ data: { errors: { message: string }[] } }>(`/api/batches/${id}/analytics`);
  expect(analytics.errors.map(({ message }) => message).sort()).toEqual(
    expect.arrayContaining(['it is broken for good', 'no luck with again', 'no luck with waits', 'the provider is busy (HTTP 429)']),
  );
  const { visualization } = await read<{ visualization: { errorDistribution: { percentage: number }[] } }>(`/api/batch/${id}/viz`);
  expect(visualization.errorDistribution.map(({ percentage }) => percentage)).toEqual([20, 20, 20, 20, 20]);
});

test('a cancelled batch tells what its items had run into, and not that some were at work', async () => {
  const { id } = await start({ concurrency: 6, batchSize: 1 });
  await eventually(
    () =>
      engine.sql<{ n: number }>('SELECT count(*)::int AS n FROM chunk WHERE run_id = (SELECT run_id FROM batch WHERE id = $1) AND no < 0', [
        id,
      ]),
    ([row]) => row!.n > 0,
    20_000,
  );
  await engine.call(CancelBatch, { batchId: id });
  await engine.ended({ id });
  const { documents, service } = await errorsByInterface(id);
  expect(documents).toEqual(service);
  expect(documents).toEqual([
    'fatal: it is broken for good',
    'later: the provider is busy (HTTP 429)',
    'again: no luck with again',
    'waits: no luck with waits',
  ]);
});

test('a batch that its failure threshold ends tells what the others had run into', async () => {
  const failureThreshold = { count: 1, action: 'fail' as const };
  const { id } = await start({ concurrency: 1, batchSize: 1, failureThreshold }, ['later', 'again', 'fatal', 'fine', 'hangs']);
  expect(await engine.ended({ id }, 20_000)).toMatchObject({ status: 'failed' });
  const { documents } = await errorsByInterface(id);
  expect(documents).toEqual(['fatal: it is broken for good', 'later: the provider is busy (HTTP 429)', 'again: no luck with again']);
});

test('the error of an item whose next try was about to begin is kept too', async () => {
  const { id } = await start({ concurrency: 1, batchTimeout: 3_000 }, ['again', 'waits']);
  await engine.ended({ id }, 20_000);
  const { documents } = await errorsByInterface(id);
  expect(documents).toEqual(['again: no luck with again', 'waits: no luck with waits']);
});

test('pages of failures go on with what was left undone', async () => {
  const { id } = await start({ concurrency: 6, batchSize: 1, batchTimeout: 2_500 });
  await engine.ended({ id }, 20_000);
  const keysOf = async (query: string): Promise<[string[], number | null]> => {
    const { data } = await read<{ data: { errors: { documentId: string }[]; pagination: { errors: number; nextOffset: number | null } } }>(
      `/api/v1/documents/batch-process/${id}?${query}`,
    );
    expect(data.pagination.errors).toBe(5);
    return [data.errors.map(({ documentId }) => documentId), data.pagination.nextOffset];
  };
  expect(await keysOf('limit=2')).toEqual([['fatal', 'later'], 2]);
  expect(await keysOf('limit=2&offset=2')).toEqual([['hangs', 'again'], 4]);
  expect(await keysOf('limit=2&offset=4')).toEqual([['waits'], null]);
});

test('what is repeated of them is told no more, and an item that succeeds at last leaves nothing behind', async () => {
  const { id } = await engine.run(
    async ({ attempt }) => {
      if (attempt === 1) throw new Error('not at first');
    },
    { items: ['a'], options: RETRIES },
  );
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed' });
  expect((await errorsByInterface(id)).documents).toEqual([]);
  const stopped = await start({ concurrency: 2, batchTimeout: 2_000 }, ['again']);
  await engine.ended(stopped, 20_000);
  expect((await errorsByInterface(stopped.id)).documents).toEqual(['again: no luck with again']);
  await engine.call(RetryItems, { batchId: stopped.id, statuses: ['unprocessed'] });
  expect((await errorsByInterface(stopped.id)).documents).toEqual([]);
  await engine.call(CancelBatch, { batchId: stopped.id });
  await engine.ended(stopped, 20_000);
});
