import { Logger } from '@nestjs/common';
import { CircuitBreakers } from '../../src/ai/provider/circuit-breakers.js';
import { ProviderFailure } from '../../src/ai/provider/provider-failure.js';
import { Config } from '../../src/config.js';
import { RetryLaterError } from '../../src/operations/item-handler.js';

const breakersThatOpenAt = (failures: number) =>
  new CircuitBreakers(Config.from({ AI_BREAKER_FAILURES: String(failures), AI_BREAKER_OPEN_MS: '60000' }));

const failing = () => Promise.reject(new ProviderFailure('down'));
const working = () => Promise.resolve('done');

describe('the circuit breakers of the tenants', () => {
  beforeAll(() => Logger.overrideLogger(false));

  test('open after so many failures in a row, and then say when to come again', async () => {
    const breakers = breakersThatOpenAt(2);
    await expect(breakers.guard('acme', failing)).rejects.toThrow(ProviderFailure);
    expect(await breakers.guard('acme', working)).toBe('done');
    await expect(breakers.guard('acme', failing)).rejects.toThrow(ProviderFailure);
    await expect(breakers.guard('acme', failing)).rejects.toThrow(ProviderFailure);
    const refusal = await breakers.guard('acme', working).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RetryLaterError);
    expect((refusal as RetryLaterError).delayMs).toBeGreaterThan(0);
    expect((refusal as RetryLaterError).delayMs).toBeLessThanOrEqual(60_020);
    expect(await breakers.guard('globex', working)).toBe('done');
  });

  test('do not count what is no fault of the provider', async () => {
    const breakers = breakersThatOpenAt(1);
    const refused = () => Promise.reject(new RetryLaterError('busy', 10));
    await expect(breakers.guard('acme', refused)).rejects.toThrow('busy');
    expect(await breakers.guard('acme', working)).toBe('done');
  });

  test('are remembered for 1,000 tenants: the one longest unheard of is forgotten first', async () => {
    const breakers = breakersThatOpenAt(1);
    for (const tenant of ['first', 'second']) await expect(breakers.guard(tenant, failing)).rejects.toThrow(ProviderFailure);
    for (let n = 1; n <= 998; n += 1) await breakers.guard(`tenant ${n}`, working);
    await expect(breakers.guard('first', working)).rejects.toThrow(RetryLaterError);
    await breakers.guard('one more', working);
    expect(await breakers.guard('second', working)).toBe('done');
    await expect(breakers.guard('first', working)).rejects.toThrow(RetryLaterError);
  });
});
