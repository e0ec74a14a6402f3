import { APICallError } from 'ai';
import { toItemError } from '../../src/ai/provider/answer-errors.js';
import { ProviderFailure } from '../../src/breakers/provider-failure.js';
import { PermanentError, RetryLaterError } from '../../src/operations/item-handler.js';

const ASKED = { apiKey: 'the-key-of-the-provider', model: 'reader-1' };

const errorOf = (statusCode: number, responseHeaders: Record<string, string> = {}, responseBody = ''): Error => {
  const call = new APICallError({
    message: 'no',
    url: 'http://provider',
    requestBodyValues: {},
    statusCode,
    responseHeaders,
    responseBody,
  });
  return toItemError(call, new AbortController().signal, ASKED) as Error;
};

test.each([
  [{}, 5_000],
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '0' }, 1_000],
  [{ 'retry-after': '-5' }, 1_000],
  [{ 'retry-after': 'soon' }, 5_000],
  [{ 'retry-after': '3600' }, 3_600_000],
  [{ 'retry-after-ms': '1500', 'retry-after': '60' }, 1_500],
  [{ 'retry-after': new Date(Date.now() - 60_000).toUTCString() }, 1_000],
])('429 with %j is waited for %i ms', (headers, delayMs) => {
  const error = errorOf(429, headers);
  expect(error).toBeInstanceOf(RetryLaterError);
  expect((error as RetryLaterError).delayMs).toBe(delayMs);
});

test('who asks to wait for more than an hour has no more for today, and says until when', () => {
  const error = errorOf(429, { 'retry-after': '5400' }, '{"error":{"message":"tokens a day"}}');
  expect(error).toBeInstanceOf(PermanentError);
  expect(error.message).toBe(
    "the AI provider's quota is used up (HTTP 429): tokens a day; it asks to wait 1.5 h; then repeat the failed documents",
  );
  // A service that is being mended comes back by itself.
  expect(errorOf(503, { 'retry-after': '86400' })).toMatchObject({ delayMs: 3_600_000 });
});

test('a code of a used-up quota counts whatever the status, and other words of a 429 do not', () => {
  for (const status of [400, 403, 429]) expect(errorOf(status, {}, '{"code":"insufficient_quota"}').message).toContain('quota is used up');
  expect(errorOf(500, {}, '{"code":"insufficient_quota"}')).toBeInstanceOf(ProviderFailure);
  expect(errorOf(429, {}, '{"error":{"message":"quota exceeded: insufficient_quota","code":"rate_limit_exceeded"}}')).toBeInstanceOf(
    RetryLaterError,
  );
});

test.each([408, 500, 502, 503, 504, 529])('%i is a fault of the provider', (status) => {
  expect(errorOf(status)).toBeInstanceOf(ProviderFailure);
});

test.each([400, 401, 403, 404, 405, 409, 413, 415, 422])('%i is about the request, for good', (status) => {
  const error = errorOf(status, {}, `{"error":{"message":"key ${ASKED.apiKey}"}}`);
  expect(error).toBeInstanceOf(PermanentError);
  expect(error.message).toContain(`(HTTP ${status})`);
  expect(error.message).not.toContain(ASKED.apiKey);
});

test('a connection that ends within the answer is a fault of the provider, said as that', () => {
  const call = new APICallError({ message: 'no', url: '', requestBodyValues: {}, statusCode: 200, cause: new TypeError('terminated') });
  expect(toItemError(call, new AbortController().signal, ASKED)).toMatchObject({
    name: 'ProviderFailure',
    message: 'the AI provider broke off its answer',
  });
});

test('what a shutdown or a cancel breaks off is no fault of anybody', () => {
  const controller = new AbortController();
  controller.abort(new Error('the service shuts down'));
  expect(toItemError(new Error('aborted'), controller.signal, ASKED)).toBe(controller.signal.reason);
});
