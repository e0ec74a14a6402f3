import type { ServerResponse } from 'node:http';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { ItemView, OutcomeView } from '../../src/batches/item.view.js';
import type { CreatedDocumentJobReply, DocumentJob, DocumentJobReply } from '../../src/dialects/documents/documents.reply.js';
import { Api } from '../contracts/api.js';
import { createTestDatabase } from '../support/database.js';
import { eventually, Gate } from '../support/eventually.js';
import { FakeProvider, GOOD_FINDINGS, type ProviderAnswer, type ProviderRequest } from '../support/fake-provider.js';
import { spawnService } from '../support/process.js';
import { startTestService, type TestService } from '../support/service.js';

const JOBS = '/api/v1/documents/batch-process';
const KEY = 'sk-the-key-of-the-provider';
const WAIT_MS = 30_000;

jest.setTimeout(90_000);

describe('a provider of analyses', () => {
  let provider: FakeProvider;
  let service: TestService | undefined;
  let api: Api;

  beforeEach(async () => (provider = await FakeProvider.start()));

  afterEach(async () => {
    await service?.close();
    service = undefined;
    await provider.close();
  });

  const start = async (env: Record<string, string> = {}) => {
    service = await startTestService({
      AI_BASE_URL: provider.url,
      AI_API_KEY: KEY,
      AI_MODEL: 'reader-1',
      AI_BREAKER_FAILURES: '3',
      ...env,
    });
    api = new Api(service.url);
  };

  /** Documents whose text names them, so that the provider knows which one it is asked about. */
  const putDocuments = async (ids: string[], as = api) => {
    for (const id of ids) await as.send('PUT', `/api/records/documents/${id}`, { fields: { text: `This is the document ${id}.` } });
    return ids;
  };

  const create = async (documentIds: string[], options: object = {}, as = api) =>
    (await as.post<CreatedDocumentJobReply>(JOBS, { documentIds, type: 'QUALITY_CHECK', options })).body.data.jobId;

  const get = async (jobId: string, as = api) => (await as.get<DocumentJobReply>(`${JOBS}/${jobId}`)).body.data;

  const ended = (jobId: string): Promise<DocumentJob> =>
    eventually(
      () => get(jobId),
      ({ completedAt }) => completedAt !== undefined,
      WAIT_MS,
    );

  const items = async (jobId: string, as = api) => (await as.get<{ data: ItemView[] }>(`/api/batches/${jobId}/items`)).body.data;

  const outcomes = async (jobId: string) => (await api.get<{ data: OutcomeView[] }>(`/api/batches/${jobId}/results`)).body.data;

  /** Executions that were counted, over all documents of a job. */
  const attempts = async (jobId: string) => (await outcomes(jobId)).reduce((sum, outcome) => sum + outcome.attempts, 0);

  const hurry = () => service!.database.pool.query('UPDATE retry SET due_at = clock_timestamp()');

  const isAbout = (request: ProviderRequest, id: string) => JSON.stringify(request.body.messages).includes(`document ${id}.`);

  it('is asked once for each document, with its text, the schema, the key and a key of the item, and its findings are the result', async () => {
    await start();
    const jobId = await create(await putDocuments(['one', 'two']));
    const job = await ended(jobId);
    const expected = { language: 'en', quality: GOOD_FINDINGS.quality, analyzer: 'reader-1', truncated: false };
    expect(job.results.map(({ documentId, data }) => [documentId, data])).toEqual([
      ['one', expected],
      ['two', expected],
    ]);
    expect((await outcomes(jobId)).map(({ quality }) => quality)).toEqual([0.8, 0.8]);
    expect(provider.requests).toHaveLength(2);
    for (const { headers, body } of provider.requests) {
      expect(headers.authorization).toBe(`Bearer ${KEY}`);
      expect(headers['idempotency-key']).toMatch(/^[0-9a-f]{64}$/);
      expect(body).toMatchObject({ model: 'reader-1', response_format: { type: 'json_schema' } });
      expect(JSON.stringify(body.response_format)).toContain('"quality"');
    }
    expect(new Set(provider.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
    expect(provider.requests.map((request) => [isAbout(request, 'one'), isAbout(request, 'two')]).sort()).toEqual([
      [false, true],
      [true, false],
    ]);
  });

  it.each([
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '3600' } }],
    ['503 with Retry-After', { status: 503, headers: { 'retry-after': '3600' } }],
    ['429 until a date', { status: 429, headers: { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() } }],
  ])('%s means "not now": the document waits, no attempt is counted, and the circuit stays closed', async (_what, answer) => {
    await start({ AI_BREAKER_FAILURES: '1' });
    provider.answer = () => answer;
    const jobId = await create(await putDocuments(['one', 'two']), { retryAttempts: 0 });
    const waiting = await eventually(
      () => items(jobId),
      (all) => all.every(({ status }) => status === 'retrying'),
    );
    expect(waiting.map(({ attempts, error }) => [attempts, error?.kind])).toEqual([
      [0, 'rate-limited'],
      [0, 'rate-limited'],
    ]);
    const { rows } = await service!.database.pool.query<{ soon: boolean }>(
      `SELECT due_at < clock_timestamp() + interval '50 minutes' AS soon FROM retry`,
    );
    expect(rows).toEqual([{ soon: false }, { soon: false }]);
    expect(provider.requests).toHaveLength(2);

    provider.answer = () => ({ findings: GOOD_FINDINGS });
    await hurry();
    expect(await ended(jobId)).toMatchObject({ status: 'COMPLETED', failedDocuments: 0 });
    expect(await attempts(jobId)).toBe(2);
    const keys = provider.requests.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(2);
  });

  it('failures in a row open the circuit: nothing is sent, documents wait without a counted attempt; one probe closes it again', async () => {
    await start({ AI_BREAKER_OPEN_MS: '2000' });
    const probe = new Gate();
    provider.answer = async () => {
      if (provider.requests.length <= 3) return { status: 500 };
      if (provider.requests.length === 4) await probe.opened;
      return { findings: GOOD_FINDINGS };
    };
    // One at a time, so that the fourth request is the probe.
    const jobId = await create(await putDocuments(['a', 'b', 'c']), { maxConcurrent: 1, retryAttempts: 9, retryDelay: 0 });
    await eventually(
      () => provider.requests.length,
      (count) => count === 4,
      WAIT_MS,
    );
    expect(provider.requests[3]!.at - provider.requests[2]!.at).toBeGreaterThan(1_900);
    const other = await create(await putDocuments(['d', 'e']), { retryAttempts: 0 });
    const waiting = await eventually(
      () => items(other),
      (all) => all.every(({ status }) => status === 'retrying'),
    );
    expect(waiting.map(({ attempts, error }) => [attempts, error?.message])).toEqual(
      Array(2).fill([0, 'provider ai: was failing; one item tries whether it is back']),
    );
    expect(provider.requests).toHaveLength(4);
    probe.open();
    for (const id of [jobId, other]) expect(await ended(id)).toMatchObject({ status: 'COMPLETED', failedDocuments: 0 });
    expect(provider.requests).toHaveLength(8);
    expect((await attempts(jobId)) + (await attempts(other))).toBe(8);
  });

  it('a probe that fails keeps the circuit open for another while', async () => {
    await start({ AI_BREAKER_FAILURES: '2', AI_BREAKER_OPEN_MS: '1000' });
    provider.answer = () => (provider.requests.length <= 4 ? { status: 502 } : { findings: GOOD_FINDINGS });
    const jobId = await create(await putDocuments(['a', 'b', 'c']), { maxConcurrent: 1, retryAttempts: 10, retryDelay: 0 });
    expect(await ended(jobId)).toMatchObject({ status: 'COMPLETED', failedDocuments: 0 });
    const at = provider.requests.map((request) => request.at);
    expect(at[2]! - at[1]!).toBeGreaterThan(900);
    expect(at[3]! - at[2]!).toBeGreaterThan(900);
    expect(at[4]! - at[3]!).toBeGreaterThan(900);
    expect(await attempts(jobId)).toBe(provider.requests.length);
  });

  it("each tenant has a circuit of its own: one's open circuit does not stop another", async () => {
    await start({ API_KEYS: 'acme:acme-key-0123456789,globex:globex-key-0123456789', AI_BREAKER_OPEN_MS: '3600000' });
    const acme = new Api(service!.url, { 'x-api-key': 'acme-key-0123456789' });
    const globex = new Api(service!.url, { 'x-api-key': 'globex-key-0123456789' });
    provider.answer = (request) => (isAbout(request, 'bad') ? { status: 500 } : { findings: GOOD_FINDINGS });
    const bad = await create([...(await putDocuments(['bad'], acme)), 'bad', 'bad', 'bad'], { retryAttempts: 9, retryDelay: 0 }, acme);
    const waiting = await eventually(
      () => items(bad, acme),
      (all) => all.every(({ status, error }) => status === 'retrying' && error?.kind === 'rate-limited'),
      WAIT_MS,
    );
    // Requests that were under way when the third one failed have failed as well.
    for (const { error } of waiting) expect(error?.message).toMatch(/^provider ai: failed [3-9] times in a row and is left alone$/);
    const sent = provider.requests.length;
    expect(waiting.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(sent);
    const good = await create(await putDocuments(['good'], globex), {}, globex);
    await eventually(
      () => get(good, globex),
      ({ status }) => status === 'COMPLETED',
    );
    expect(provider.requests.length).toBe(sent + 1);
    expect(await get(bad, acme)).toMatchObject({ status: 'PROCESSING', processedDocuments: 0 });
    // Documents that wait for the provider do not hold up a cancellation.
    await acme.post(`${JOBS}/${bad}/cancel`);
    await eventually(
      () => get(bad, acme),
      ({ completedAt }) => completedAt !== undefined,
    );
  });

  it('an answer of another protocol is a failure of the provider: tried again, and counted by the circuit', async () => {
    await start({ AI_BREAKER_FAILURES: '2', AI_BREAKER_OPEN_MS: '3600000' });
    provider.answer = () => ({ status: 200, body: { hello: 'world' } });
    const jobId = await create(await putDocuments(['one']), { retryAttempts: 9, retryDelay: 0 });
    const [item] = await eventually(
      () => items(jobId),
      ([first]) => first?.error?.kind === 'rate-limited',
    );
    expect(item).toMatchObject({ status: 'retrying', attempts: 2 });
    expect(provider.requests).toHaveLength(2);
  });

  const filtered = {
    error: { message: 'The response was filtered', code: 'content_filter', innererror: { code: 'ResponsibleAIPolicyViolation' } },
  };

  /** What is wrong with the answer about one document, what its error says, and how often it is asked when it may be asked twice. */
  const ABOUT_ONE: [what: string, answer: ProviderAnswer, error: string, attempts: number][] = [
    ['no JSON', { text: 'Certainly! Here is what I found.' }, "the AI provider's answer is not JSON; if it goes on, choose a model", 2],
    ['half of JSON', { text: '{"language":"en"' }, "the AI provider's answer is not JSON", 2],
    ['other fields', { findings: { verdict: 'fine' } }, "the AI provider's answer is JSON of another shape", 2],
    ['a score beyond all bounds', { findings: { ...GOOD_FINDINGS, quality: { score: 7, issues: [] } } }, 'JSON of another shape', 2],
    ['more than 4 MB', { text: 'x'.repeat(4_000_001) }, 'the AI provider answered more than 4 MB', 2],
    [
      'a cut',
      { choice: { finish_reason: 'length', message: { content: '{"language":"e' } } },
      'was cut off at its greatest length; give the document in parts',
      1,
    ],
    [
      'a cut before the first letter',
      { choice: { finish_reason: 'length', message: { content: '' } } },
      'was cut off at its greatest length',
      1,
    ],
    [
      'a refusal',
      { choice: { finish_reason: 'stop', message: { content: null, refusal: 'I cannot read this.' } } },
      'refused to analyze this document: I cannot read this.',
      1,
    ],
    [
      'a filter',
      { choice: { finish_reason: 'content_filter', message: { content: '' } } },
      'the AI provider refused to analyze this document',
      1,
    ],
    [
      'a filter of what was asked',
      { status: 400, body: filtered },
      'the AI provider refused to analyze this document: The response was filtered',
      1,
    ],
    [
      '400',
      { status: 400, body: { error: { message: `the context has\u0000 9000\ntokens, and ${KEY} may have 8192` } } },
      '(HTTP 400): the context has 9000 tokens, and [hidden] may have 8192',
      1,
    ],
    ['422 and a plain message', { status: 422, body: { message: 'max_tokens is too large' } }, '(HTTP 422): max_tokens is too large', 1],
    ['401', { status: 401, body: { error: { message: `Incorrect API key ${KEY}` } } }, '(HTTP 401); check AI_API_KEY', 1],
    ['403', { status: 403 }, '(HTTP 403); check AI_API_KEY, and whether it may use the model reader-1 (AI_MODEL)', 1],
    [
      '404',
      { status: 404, body: { error: { message: 'no such model' } } },
      '(HTTP 404): no such model; check AI_MODEL (reader-1) and AI_BASE_URL',
      1,
    ],
    ['413', { status: 413 }, '(HTTP 413); the document is too long for it: give it in parts', 1],
  ];

  it('an answer that is wrong about one document says how and what to do, and keeps no other from the provider', async () => {
    await start({ AI_BREAKER_FAILURES: '1', AI_BREAKER_OPEN_MS: '3600000' });
    provider.answer = (request) => ABOUT_ONE.find((_, index) => isAbout(request, `odd-${index}`))?.[1] ?? { findings: GOOD_FINDINGS };
    const odd = await putDocuments(ABOUT_ONE.map((_, index) => `odd-${index}`));
    const job = await ended(
      await create([...odd, ...(await putDocuments(['good']))], { retryAttempts: 1, retryDelay: 0, maxConcurrent: 1 }),
    );
    expect(job.errors.map(({ error, attempts }, index) => [error.includes(ABOUT_ONE[index]![2]) || error, attempts])).toEqual(
      ABOUT_ONE.map(([, , , attempts]) => [true, attempts]),
    );
    expect(job.results.map(({ documentId }) => documentId)).toEqual(['good']);
    expect(JSON.stringify(job)).not.toContain(KEY);
    expect((await api.get('/api/breakers/ai')).body).toMatchObject({ data: { state: 'closed', failed: 0, lastError: null } });
  });

  const tokensADay = { error: { message: 'Limit 100000, used 99999: try again in 7h', type: 'tokens', code: 'rate_limit_exceeded' } };

  /** How providers say that no time, or none within reason, will help. */
  const USED_UP: [provider: string, answer: ProviderAnswer][] = [
    [
      'openai',
      {
        status: 429,
        body: { error: { message: 'You exceeded your current quota', type: 'insufficient_quota', code: 'insufficient_quota' } },
      },
    ],
    ['openai-billing', { status: 429, body: { error: { message: 'limit', code: 'billing_hard_limit_reached' } } }],
    ['azure', { status: 429, headers: { 'retry-after': '86400' }, body: { error: { code: '429', message: 'exceeded token quota' } } }],
    ['anthropic', { status: 402, body: { type: 'error', error: { type: 'billing_error', message: 'a payment is due' } } }],
    ['openrouter', { status: 402, body: { error: { code: 402, message: 'Insufficient credits' } } }],
    ['groq', { status: 429, headers: { 'retry-after': '25200' }, body: tokensADay }],
    ['moonshot', { status: 403, body: { error: { type: 'exceeded_current_quota_error', message: 'recharge' } } }],
    ['alibaba', { status: 400, body: { code: 'Arrearage', message: 'Access denied, please make sure your account is in good standing' } }],
    ['a list', { status: 429, body: [{ error: { status: 'INSUFFICIENT_QUOTA', message: 'no more' } }] }],
  ];

  it('a quota that is used up ends each document at once, with that reason, and opens no circuit', async () => {
    await start({ AI_BREAKER_FAILURES: '1' });
    provider.answer = (request) => USED_UP.find((_, index) => isAbout(request, `q-${index}`))![1];
    const job = await ended(await create(await putDocuments(USED_UP.map((_, index) => `q-${index}`)), { retryAttempts: 9 }));
    expect(job).toMatchObject({ status: 'FAILED', failedDocuments: USED_UP.length });
    for (const { error, attempts } of job.errors) {
      expect(error).toMatch(/^the AI provider's quota is used up \(HTTP \d+\): .+; .+; then repeat the failed documents$/);
      expect(attempts).toBe(1);
    }
    expect(job.errors[5]!.error).toContain('it asks to wait 7 h');
    expect(provider.requests).toHaveLength(USED_UP.length);
    expect((await api.get('/api/breakers/ai')).body).toMatchObject({ data: { state: 'closed' } });
  });

  it('what refuses with words alone, as a low credit balance, is told in those words', async () => {
    await start();
    const message = 'Your credit balance is too low to access the API. Please go to Plans & Billing.';
    provider.answer = () => ({ status: 400, body: { type: 'error', error: { type: 'invalid_request_error', message } } });
    const job = await ended(await create(await putDocuments(['one'])));
    expect(job.errors).toMatchObject([{ error: `the AI provider refused the request (HTTP 400): ${message}`, attempts: 1 }]);
  });

  it('an item is put off for a day in all, and then says for what', async () => {
    await start();
    provider.answer = () => ({
      status: 429,
      headers: { 'retry-after': '3600' },
      body: { error: { message: 'slow down', code: 'rate_limit_exceeded' } },
    });
    const jobId = await create(await putDocuments(['one']), { retryAttempts: 0, timeout: 86_400_000 });
    const job = await eventually(
      async () => {
        await hurry();
        return get(jobId);
      },
      ({ completedAt }) => completedAt !== undefined,
      60_000,
    );
    expect(job.errors).toMatchObject([
      {
        error:
          'it was put off again and again, for a day in all, which is the limit; the last time: the AI provider is busy (HTTP 429): slow down',
        attempts: 1,
      },
    ]);
    expect(provider.requests).toHaveLength(25);
  });

  it('a provider that never answers is given up at the time limit of the document, and counts as failed', async () => {
    await start({ DOCUMENT_TIMEOUT_MS: '300', AI_BREAKER_FAILURES: '2', AI_BREAKER_OPEN_MS: '3600000' });
    const closed: Promise<unknown>[] = [];
    provider.answer = () => (response: ServerResponse) => {
      closed.push(new Promise((resolve) => response.once('close', resolve)));
    };
    const jobId = await create(await putDocuments(['one']), { retryAttempts: 9, retryDelay: 0 });
    const [item] = await eventually(
      () => items(jobId),
      ([first]) => first?.error?.kind === 'rate-limited',
    );
    expect(item).toMatchObject({ attempts: 2 });
    expect(provider.requests).toHaveLength(2);
    await Promise.all(closed);
  });

  it('tells the time limit as the error of a document that never got an answer', async () => {
    await start({ DOCUMENT_TIMEOUT_MS: '300' });
    provider.answer = () => () => undefined;
    const job = await ended(await create(await putDocuments(['one']), { retryAttempts: 0 }));
    expect(job).toMatchObject({ status: 'FAILED', errors: [{ error: 'no result within 300 ms', attempts: 1 }] });
  });

  it('a provider that is not there is a failure like any other', async () => {
    await start({ AI_BASE_URL: 'http://127.0.0.1:1/v1' });
    const job = await ended(await create(await putDocuments(['one']), { retryAttempts: 1, retryDelay: 0 }));
    expect(job.errors).toMatchObject([{ error: 'the AI provider cannot be reached', attempts: 2 }]);
  });

  it('a provider that answers without any choice is told as one that answered something else', async () => {
    await start();
    provider.answer = () => ({ status: 200, body: { choices: [] } });
    const job = await ended(await create(await putDocuments(['one']), { retryAttempts: 0 }));
    expect(job.errors).toMatchObject([{ error: 'the AI provider answered something else than the findings that were asked for' }]);
  });

  it('a redirect is not followed: neither documents nor the key go anywhere else', async () => {
    await start();
    const elsewhere = await FakeProvider.start();
    provider.answer = () => ({ status: 307, headers: { location: `${elsewhere.url}/chat/completions` } });
    const job = await ended(await create(await putDocuments(['one']), { retryAttempts: 0 }));
    expect(job.status).toBe('FAILED');
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.close();
  });

  it('a document without text is not sent: there is nothing to analyze', async () => {
    await start();
    await api.send('PUT', '/api/records/documents/empty', { fields: { text: '' } });
    const job = await ended(await create(['empty']));
    expect(job.results[0]!.data).toMatchObject({ analyzer: 'offline', quality: { score: 0, issues: [{ kind: 'no-text' }] } });
    expect(provider.requests).toEqual([]);
  });

  it('a shutdown leaves no request open, not even that of a cancelled job', async () => {
    await start({ SHUTDOWN_GRACE_MS: '1000' });
    const closed: Promise<unknown>[] = [];
    provider.answer = () => (response: ServerResponse) => {
      closed.push(new Promise((resolve) => response.once('close', resolve)));
    };
    const cancelled = await create(await putDocuments(['one', 'two']));
    await create(['one']);
    await eventually(
      () => closed.length,
      (count) => count === 3,
    );
    await api.post(`${JOBS}/${cancelled}/cancel`);
    await service!.close();
    service = undefined;
    await Promise.all(closed);
    expect(provider.requests).toHaveLength(3);
  });

  it('neither logs nor answers hold the key or what the provider wrote', async () => {
    const database = await createTestDatabase();
    const env = { AI_BASE_URL: provider.url, AI_API_KEY: KEY, DATABASE_URL: database.url, LOG_LEVEL: 'trace', AI_BREAKER_FAILURES: '1' };
    const spawned = await spawnService({ ...env, AI_BREAKER_OPEN_MS: '1000' });
    api = new Api(spawned.url);
    const secret = 'what the provider wrote';
    provider.answer = (request) => {
      if (isAbout(request, 'refused')) return { status: 401, body: { error: { message: `Incorrect API key ${KEY}: ${secret}` } } };
      return isAbout(request, 'garbage') ? { text: `${KEY} ${secret}` } : { status: 500, body: { error: { message: `${KEY} ${secret}` } } };
    };
    try {
      const jobId = await create(await putDocuments(['refused', 'garbage', 'broken']), { retryAttempts: 2, retryDelay: 0 });
      const job = await ended(jobId);
      expect(job.errors).toHaveLength(3);
      const answers = JSON.stringify([job, await items(jobId)]);
      const withStacks = JSON.stringify((await api.get<{ data: BatchView }>(`/api/batches/${jobId}`)).body);
      expect(provider.requests.every(({ headers }) => headers.authorization === `Bearer ${KEY}`)).toBe(true);
      expect(spawned.output()).toContain('circuit open');
      for (const text of [answers, withStacks, spawned.output()]) {
        expect(text).not.toContain(KEY);
        expect(text).not.toContain(secret);
      }
      for (const text of [answers, spawned.output()]) expect(text).not.toMatch(/\bat .*\.(?:js|ts|mjs):\d+/);
    } finally {
      await spawned.end('SIGTERM');
      await database.drop();
    }
  });
});
