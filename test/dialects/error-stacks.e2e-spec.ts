import { SignJWT } from 'jose';
import type { Batch } from '../../src/dialects/batch-service/index.js';
import { BatchProcessingService } from '../../src/dialects/batch-service/batch-processing-service.js';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

const SECRET = 'a secret of at least thirty-two characters';
const KEY = 'a-key-of-16-or-more';
/** A frame of a stack: "at Class.method (file.ts:12:3)". */
const FRAME = /\n\s+at .*\.[jt]s:\d+/;

/** Items that throw the stack of their own handler. */
describe('the stack of an error', () => {
  let service: TestService;
  let api: Api;
  let token: { authorization: string };

  beforeAll(async () => {
    service = await startTestService({ JWT_SECRET: SECRET, API_KEYS: `acme:${KEY}` });
    api = new Api(service.url, { 'x-api-key': KEY });
    const claims = { sub: 'ada', tenant: 'acme', exp: Date.now() / 1_000 + 3_600 };
    const signed = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET));
    token = { authorization: `Bearer ${signed}` };
  });
  afterAll(() => service.close());

  async function ended(items: object[], concurrency = 1): Promise<string> {
    const request = { operation: 'noop', items: items.map((payload) => ({ payload })), options: { retryAttempts: 0, concurrency } };
    const { id } = (await api.post<{ data: Batch }>('/api/batches', request)).body.data;
    await eventually(
      () => api.get<{ data: Batch }>(`/api/batches/${id}`),
      ({ body }) => body.data.status === 'failed',
      30_000,
    );
    return id;
  }

  test('is told to programs of the tenant, over HTTP and in the same process', async () => {
    const id = await ended([{ fail: 'permanent' }, { fail: 'retryable' }]);
    const [permanent, retryable] = (await api.get<{ data: Batch }>(`/api/batches/${id}`)).body.data.errors;
    expect(permanent!.stack).toMatch(/^PermanentError: failed for good, as told\n/);
    expect(permanent!.stack).toMatch(FRAME);
    expect(permanent!.stack).toContain('NoopItemHandler');
    expect(retryable!.stack).toMatch(/^Error: attempt 1 failed, as told\n/);
    const batch = await service.app.get(BatchProcessingService).forTenant('acme').getBatch(id);
    expect(batch!.errors.map(({ stack }) => stack)).toEqual([permanent!.stack, retryable!.stack]);
  });

  test('is not told to the bearer of a token, nor in a list, nor by another interface', async () => {
    const id = await ended([{ fail: 'permanent' }]);
    const person = new Api(service.url, token);
    for (const path of [`/api/batches/${id}`, '/api/batches']) {
      const { status, body } = await person.get(path);
      expect(status).toBe(200);
      expect(JSON.stringify(body)).toContain('failed for good, as told');
      expect(JSON.stringify(body)).not.toMatch(/\bat .*\.[jt]s:\d+/);
    }
    for (const path of [
      '/api/batches',
      `/api/batch/${id}/results`,
      `/api/batch/annotations/${id}/status`,
      `/api/batch/jobs/${id}`,
      `/api/v1/documents/batch-process/${id}`,
      `/api/batches/${id}/results`,
      `/api/batches/${id}/items`,
      `/api/batches/${id}/jobs`,
      `/trpc/batch.outcomes?input=${encodeURIComponent(JSON.stringify({ batchId: id }))}`,
    ]) {
      const { status, body } = await api.get(path);
      expect([path, status]).toEqual([path, 200]);
      expect(JSON.stringify(body)).toContain('failed for good, as told');
      expect(JSON.stringify(body)).not.toMatch(/\bat .*\.[jt]s:\d+/);
    }
  });

  test('is kept of the first hundred failures of a turn', async () => {
    const id = await ended(Array.from({ length: 130 }, () => ({ fail: 'permanent' })));
    const { rows } = await service.database.pool.query<{ kept: boolean }>(
      `SELECT o.error_stack IS NOT NULL AS kept FROM outcome o JOIN batch b ON b.run_id = o.run_id WHERE b.id = $1 ORDER BY o.seq`,
      [id],
    );
    expect(rows.map(({ kept }) => kept)).toEqual(rows.map((_row, index) => index < 100));
  });
});
