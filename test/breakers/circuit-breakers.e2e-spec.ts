import { CircuitBreakers } from '../../src/breakers/circuit-breakers.js';
import { UpdateBreaker } from '../../src/breakers/commands/update-breaker.command.js';
import { ProviderFailure } from '../../src/breakers/provider-failure.js';
import { GetBreaker } from '../../src/breakers/queries/get-breaker.query.js';
import { ListBreakers } from '../../src/breakers/queries/list-breakers.query.js';
import { openBreakers } from '../../src/breakers/store/open-breakers.js';
import { Config } from '../../src/config.js';
import { PermanentError, RetryLaterError } from '../../src/operations/item-handler.js';
import { Api, type Problem } from '../contracts/api.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';

const failing = () => Promise.reject(new ProviderFailure('down'));
const working = () => Promise.resolve('done');
/** The error that it ends with. */
const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('circuit breakers', () => {
  let engine: Engine;

  beforeAll(async () => (engine = await Engine.start()));
  afterAll(() => engine.close());
  beforeEach(() => engine.sql('TRUNCATE circuit_breaker'));

  /** As another process has them: what it knows is its own. */
  const breakers = (env: Record<string, string> = {}) =>
    new CircuitBreakers(engine.database, Config.from({ AI_BREAKER_FAILURES: '2', AI_BREAKER_OPEN_MS: '60000', LEASE_MS: '1000', ...env }));
  const fail = async (circuits: CircuitBreakers, times: number, tenant = 'acme', provider = 'mail') => {
    for (let n = 0; n < times; n += 1) await expect(circuits.guard(tenant, provider, failing)).rejects.toThrow(ProviderFailure);
  };
  const get = (provider = 'mail', tenant = 'acme') => engine.call(GetBreaker, { provider }, { tenant });
  const update = (changes: { failures?: number | null; openMs?: number | null; forced?: 'open' | 'closed' | null }, provider = 'mail') =>
    engine.call(UpdateBreaker, { provider, ...changes }, { tenant: 'acme', subject: 'ada' });
  const openTimePasses = () => engine.sql('UPDATE circuit_breaker SET open_until = clock_timestamp()');

  test('open after so many failures in a row, and then say when to come again and whom for', async () => {
    const circuits = breakers();
    await fail(circuits, 1);
    expect(await circuits.guard('acme', 'mail', working)).toBe('done');
    await fail(circuits, 2);
    const refusal = await errorOf(circuits.guard('acme', 'mail', working));
    expect(refusal).toBeInstanceOf(RetryLaterError);
    expect(refusal).toMatchObject({ message: 'provider mail: failed 2 times in a row and is left alone' });
    expect((refusal as RetryLaterError).delayMs).toBeGreaterThan(50_000);
    expect((refusal as RetryLaterError).delayMs).toBeLessThanOrEqual(60_020);
    expect(await get()).toMatchObject({
      state: 'open',
      failed: 2,
      lastError: 'down',
      since: expect.any(String),
      until: expect.any(String),
    });
  });

  test('failures of several processes are counted together, and what one opens is open in all, also in one that starts later', async () => {
    const [one, other] = [breakers({ AI_BREAKER_FAILURES: '4' }), breakers({ AI_BREAKER_FAILURES: '4' })];
    await Promise.all([fail(one, 2), fail(other, 2)]);
    for (const circuits of [one, other, breakers()]) {
      await eventually(() => expect(circuits.guard('acme', 'mail', working)).rejects.toThrow(RetryLaterError));
    }
  });

  test('a hundred failures at once are written by a few statements, and open it once', async () => {
    const circuits = breakers({ AI_BREAKER_FAILURES: '50' });
    const pool = jest.spyOn(engine.database.pool, 'query');
    await Promise.all(Array.from({ length: 100 }, () => fail(circuits, 1)));
    const statements = pool.mock.calls.length;
    pool.mockRestore();
    expect(statements).toBeLessThan(20);
    expect(await get()).toMatchObject({ state: 'open' });
  });

  test('successes write nothing, and ten thousand of them read no more often than twice a second', async () => {
    const circuits = breakers();
    const pool = jest.spyOn(engine.database.pool, 'query');
    const startedAt = performance.now();
    for (let n = 0; n < 10_000; n += 1) await circuits.guard('acme', 'mail', working);
    // The worker of this process has statements of its own.
    const names = pool.mock.calls.map(([statement]) => (statement as unknown as { name: string }).name);
    const statements = names.filter((name) => name.includes('circuit'));
    pool.mockRestore();
    expect(new Set(statements)).toEqual(new Set(['read-circuits']));
    expect(statements.length).toBeLessThanOrEqual(1 + (performance.now() - startedAt) / 500);
    expect(await engine.sql('SELECT FROM circuit_breaker')).toEqual([]);
  });

  test('do not count what is no fault of the provider', async () => {
    const circuits = breakers({ AI_BREAKER_FAILURES: '1' });
    for (const error of [new RetryLaterError('busy', 10), new PermanentError('no'), new Error('mine')]) {
      await expect(circuits.guard('acme', 'mail', () => Promise.reject(error))).rejects.toBe(error);
    }
    expect(await circuits.guard('acme', 'mail', working)).toBe('done');
  });

  test('tenants and providers are told apart', async () => {
    const circuits = breakers();
    await fail(circuits, 2);
    expect(await circuits.guard('globex', 'mail', working)).toBe('done');
    expect(await circuits.guard('acme', 'print', working)).toBe('done');
    expect(await engine.call(ListBreakers, {}, { tenant: 'globex' })).toEqual([]);
    expect(await get('mail', 'globex')).toMatchObject({ state: 'closed', failed: 0, lastError: null });
    expect(await openBreakers(engine.database.pool, 'globex')).toEqual([]);
    expect(await openBreakers(engine.database.pool, 'acme')).toEqual([
      { provider: 'mail', since: expect.any(Date), until: expect.any(Date), why: 'it failed 2 times in a row; the last time: down' },
    ]);
  });

  test('when the time is over, one of a hundred in four processes tries; when it succeeds all go on', async () => {
    const all = Array.from({ length: 4 }, () => breakers());
    await fail(breakers(), 2);
    await openTimePasses();
    const gate = new Gate();
    let tries = 0;
    const ended: unknown[] = [];
    const probe = async () => {
      tries += 1;
      await gate.opened;
    };
    const asked = Array.from({ length: 100 }, async (_, n) => {
      ended.push(await errorOf(all[n % 4]!.guard('acme', 'mail', probe)));
    });
    await eventually(
      () => ended.length,
      (count) => count === 99,
    );
    expect(await get()).toMatchObject({ state: 'half_open' });
    gate.open();
    await Promise.all(asked);
    expect(tries).toBe(1);
    expect(ended.filter((error) => error instanceof RetryLaterError)).toHaveLength(99);
    expect((ended[0] as RetryLaterError).message).toBe('provider mail: was failing; one item tries whether it is back');
    for (const circuits of all) await eventually(() => circuits.guard('acme', 'mail', working));
    expect(await get()).toMatchObject({ state: 'closed', failed: 0, since: null, until: null });
  });

  test('a probe that fails leaves it open for another while; one that tells nothing lets the next try at once', async () => {
    const circuits = breakers();
    await fail(circuits, 2);
    const { since } = await get();
    await openTimePasses();
    await eventually(() => fail(circuits, 1));
    expect(await get()).toMatchObject({ state: 'open', since });
    await openTimePasses();
    await eventually(() => expect(circuits.guard('acme', 'mail', () => Promise.reject(new Error('shutdown')))).rejects.toThrow('shutdown'));
    expect(await get()).toMatchObject({ state: 'half_open' });
    expect(await circuits.guard('acme', 'mail', working)).toBe('done');
    expect(await get()).toMatchObject({ state: 'closed' });
  });

  test('a probe that takes longer than its lease keeps it; what a lost one finds no longer counts', async () => {
    const [one, other] = [breakers(), breakers()];
    await fail(one, 2);
    await openTimePasses();
    const gate = new Gate();
    const slow = eventually(() => one.guard('acme', 'mail', () => gate.opened));
    const probeUntil = () => engine.sql<{ at: Date | null }>('SELECT probe_until AS at FROM circuit_breaker');
    const [first] = await eventually(probeUntil, ([row]) => row!.at !== null);
    await eventually(probeUntil, ([row]) => row!.at!.getTime() > first!.at!.getTime() + 1_000);
    await expect(other.guard('acme', 'mail', working)).rejects.toThrow(RetryLaterError);
    // As if its process had been frozen for longer than the lease.
    await engine.sql(`UPDATE circuit_breaker SET probe = gen_random_uuid()`);
    gate.open();
    await slow;
    expect(await get()).toMatchObject({ state: 'half_open' });
    await engine.sql(`UPDATE circuit_breaker SET probe_until = clock_timestamp()`);
    expect(await eventually(() => other.guard('acme', 'mail', working))).toBe('done');
  });

  test('held open by hand it lets nothing through, in any process, and says who did it', async () => {
    const [one, other] = [breakers(), breakers()];
    for (const circuits of [one, other]) await circuits.guard('acme', 'mail', working);
    expect(await update({ forced: 'open' })).toMatchObject({
      state: 'open',
      forced: 'open',
      changedBy: 'ada',
      changedAt: expect.any(String),
    });
    for (const circuits of [one, other]) {
      await eventually(() =>
        expect(circuits.guard('acme', 'mail', working)).rejects.toThrow('provider mail: its circuit was opened by hand'),
      );
    }
    expect(await openBreakers(engine.database.pool, 'acme')).toEqual([
      { provider: 'mail', since: expect.any(Date), until: null, why: 'its circuit was opened by hand by ada' },
    ]);
    expect(await update({ forced: null })).toMatchObject({ state: 'closed', forced: null });
    for (const circuits of [one, other]) expect(await eventually(() => circuits.guard('acme', 'mail', working))).toBe('done');
  });

  test('held closed by hand it lets everything through and counts nothing; then it begins anew', async () => {
    const circuits = breakers();
    await fail(circuits, 2);
    expect(await update({ forced: 'closed' })).toMatchObject({ state: 'closed', forced: 'closed', failed: 0, since: null });
    await eventually(() => fail(circuits, 1));
    await fail(circuits, 5);
    expect(await update({ forced: null })).toMatchObject({ state: 'closed', failed: 0 });
    await eventually(async () => {
      await fail(circuits, 1);
      expect(await get()).toMatchObject({ failed: expect.any(Number), state: 'open' });
    });
  });

  test('failures and openMs are settable for a provider, and null gives it the settings of the service back', async () => {
    expect(await update({ failures: 1, openMs: 1_234_000 })).toMatchObject({ failures: 1, openMs: 1_234_000, state: 'closed' });
    const circuits = breakers();
    await fail(circuits, 1);
    const refusal = (await errorOf(circuits.guard('acme', 'mail', working))) as RetryLaterError;
    expect(refusal.delayMs).toBeGreaterThan(1_200_000);
    expect(await update({ failures: null })).toMatchObject({ failures: 5, openMs: 1_234_000, state: 'open', failed: 1 });
    expect(await engine.call(ListBreakers, {})).toMatchObject([{ provider: 'mail', failures: 5 }]);
  });

  test('items that wait for a provider burn no attempt, and go on soon after its circuit is held closed', async () => {
    const circuits = breakers();
    await fail(circuits, 2);
    const script = () => circuits.guard('acme', 'mail', async () => ({ output: 'sent' }));
    const batch = await engine.run(script, { items: keys(20).map((key) => ({ key })), options: { ...FAST_RETRY, retryAttempts: 0 } });
    const waiting = await eventually(
      () => engine.items(batch),
      (items) => items.every(({ status }) => status === 'retrying'),
    );
    expect(new Set(waiting.map(({ attempts, error }) => `${attempts} ${error?.message}`))).toEqual(
      new Set(['0 provider mail: failed 2 times in a row and is left alone']),
    );
    await update({ forced: 'closed' });
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 20, failed: 0 });
    expect((await engine.outcomes(batch)).every(({ attempts }) => attempts === 1)).toBe(true);
  });

  test('a process that learns that a circuit is closed calls back those that it had told to wait before it knew', async () => {
    const circuits = breakers();
    await fail(circuits, 2);
    const script = () => circuits.guard('acme', 'mail', async () => ({ output: 'sent' }));
    const batch = await engine.run(script, { items: keys(20).map((key) => ({ key })), options: FAST_RETRY });
    await eventually(
      () => engine.items(batch),
      (items) => items.every(({ status }) => status === 'retrying'),
    );
    await engine.sql(`UPDATE circuit_breaker SET forced = 'closed'`);
    const ended = await eventually(
      async () => {
        await engine.sql(`UPDATE retry SET due_at = clock_timestamp() WHERE key = '7'`);
        return (await engine.get(batch.id)).counts.succeeded;
      },
      (succeeded) => succeeded === 20,
    );
    expect(ended).toBe(20);
  });

  test('over HTTP: GET and PATCH /api/breakers', async () => {
    const api = new Api(engine.service.url);
    expect(await api.get('/api/breakers')).toMatchObject({ status: 200, body: { success: true, data: [] } });
    const patched = await api.send('PATCH', '/api/breakers/mail', { forced: 'open', openMs: 500 });
    expect(patched).toMatchObject({ status: 200, body: { data: { provider: 'mail', state: 'open', openMs: 500, failures: 5 } } });
    expect(await api.get('/api/breakers')).toMatchObject({ body: { data: [{ provider: 'mail' }] } });
    expect(await api.get('/api/breakers/other')).toMatchObject({ body: { data: { state: 'closed', changedAt: null } } });
    const wrong: [string, object, string][] = [
      ['mail', {}, 'forced'],
      ['mail', { forced: 'maybe' }, 'forced'],
      ['mail', { failures: 0 }, 'failures'],
      ['mail', { openMs: 3_600_001 }, 'openMs'],
      ['no%20name', { failures: 1 }, 'provider'],
    ];
    for (const [provider, body, field] of wrong) {
      const refused = await api.send<Problem>('PATCH', `/api/breakers/${provider}`, body);
      expect([refused.status, refused.body.details.errors.map(({ path }) => path)]).toEqual([400, [field]]);
    }
  });

  test('a tenant sets a hundred providers at most', async () => {
    await engine.sql(`INSERT INTO circuit_breaker (tenant, provider) SELECT 'acme', 'p' || n FROM generate_series(1, 100) n`);
    await expect(update({ failures: 3 }, 'one-more')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await update({ failures: 3 }, 'p7')).toMatchObject({ failures: 3 });
  });
});
