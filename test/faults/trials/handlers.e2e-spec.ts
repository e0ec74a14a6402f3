import { setTimeout as delay } from 'node:timers/promises';
import type { OutcomeView } from '../../../src/batches/item.view.js';
import { Cluster, START_MS } from '../../support/cluster.js';
import type { Execution } from '../../support/execution-log.js';
import { FakeProvider, GOOD_FINDINGS, type ProviderAnswer, type ProviderRequest } from '../../support/fake-provider.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import { type Trial, trial } from '../../support/trial.js';

const CONCURRENCY = 10;
const END_MS = 300_000;
const RETRY_AFTER_S = 1;

let provider: FakeProvider;
let cluster: Cluster;

beforeAll(async () => {
  provider = await FakeProvider.start();
  const env = {
    // An item that eats memory dies of it soon.
    NODE_OPTIONS: '--max-old-space-size=384',
    AI_BASE_URL: provider.url,
    AI_API_KEY: 'a key of the fake provider',
    AI_BREAKER_OPEN_MS: '1000',
    // Here what hangs is to fail, and nothing to be stopped for it.
    HANGING_CALLS_OF_BATCH: '1000000',
    HANGING_CALLS_OF_OPERATION: '1000000',
  };
  cluster = await Cluster.start({ apis: 1, workers: 2, env });
  await installAudit(cluster);
}, START_MS);
afterAll(async () => {
  await cluster.close();
  await provider.close();
}, 120_000);

trial(
  'F18',
  'items that end their process: process.exit, process.abort, out of memory, SIGKILL',
  { sizes: { short: { poison: 2, items: 40 }, medium: { poison: 4, items: 400 }, full: { poison: 24, items: 2_400 } }, reExecutes: true },
  async (trial, { poison, items }) => {
    const ends = ['abort', 'exit', 'memory', 'kill'];
    const every = items / poison;
    const payloads = Array.from({ length: items }, (_, n) =>
      n % every === every - 1 ? { ends: ends[Math.floor(n / every) % ends.length] } : { durationMs: 5 },
    );
    const id = await run(trial, payloads, { batchSize: 10, concurrency: 4 });
    const outcomes = await outcomesOf(id);

    const failed = outcomes.filter(({ status }) => status !== 'succeeded');
    expect(failed.map(({ error }) => error?.kind)).toEqual(Array.from({ length: poison }, () => 'poison'));
    expect(failed.map(({ key }) => Number(key) % every)).toEqual(Array.from({ length: poison }, () => 0));
    for (const { at } of cluster.deaths.splice(0)) trial.inject(true, undefined, at);
    count(trial, id, items, outcomes.length);
    trial.notes.push(`${poison} of ${items} items: each of them POISON, all others succeeded`);
  },
);

trial(
  'F19',
  'items that hang: never settled, or deaf to their signal and late',
  { sizes: { short: 12, medium: 40, full: 160 }, reExecutes: false },
  async (trial, hangs) => {
    const items = hangs * 4;
    const payloads = Array.from({ length: items }, (_, n) =>
      n % 4 !== 0 ? { durationMs: 10 } : n % 8 === 0 ? { never: true } : { durationMs: 6_000, deaf: true },
    );
    const id = await run(trial, payloads, { concurrency: CONCURRENCY, timeout: 500, retryAttempts: 0 });
    const outcomes = await outcomesOf(id);
    const failed = outcomes.filter(({ status }) => status === 'failed');
    expect(new Set(failed.map(({ error }) => error?.kind))).toEqual(new Set(['timeout']));
    expect(failed).toHaveLength(hangs);
    for (let n = 0; n < hangs; n += 1) trial.inject(true);
    count(trial, id, items, outcomes.length);

    // As many side by side as before.
    const next = await run(
      trial,
      Array.from({ length: 100 }, () => ({ durationMs: 100 })),
      { concurrency: CONCURRENCY },
    );
    expect(sideBySide([...cluster.log.of(next).values()].flat())).toBe(CONCURRENCY);
    trial.notes.push('slots lost 0');
    // The late ones have come to their end by now, and have changed nothing.
    await delay(6_000);
    expect(await outcomesOf(id)).toEqual(outcomes);
    await assertInvariants(cluster, { audited: true });
  },
);

/** What a handler can do that is not an answer, and how its item ends. */
const ODD = [
  ...['text', 'null', 'undefined', 'number', 'symbol', 'frozen', 'circular', 'getter', 'proxy', 'nul', 'long', 'permanent'].map(
    (throws) => ({
      payload: { throws },
      ends: 'failed',
    }),
  ),
  ...['bigint', 'circular', 'large', 'deep', 'throwing'].map((returns) => ({ payload: { returns }, ends: 'failed' })),
  ...['text', 'number', 'quality'].map((returns) => ({ payload: { returns }, ends: 'succeeded' })),
  { payload: { twice: true }, ends: 'succeeded' },
  { payload: { strays: true }, ends: 'succeeded' },
];

trial('F20', 'odd throws and results', { sizes: { short: 2, medium: 10, full: 50 }, reExecutes: false }, async (trial, rounds) => {
  const cases = Array.from({ length: rounds }, () => ODD).flat();
  const id = await run(
    trial,
    cases.map(({ payload }) => payload),
    { concurrency: CONCURRENCY, retryAttempts: 0 },
  );
  const outcomes = await outcomesOf(id);
  expect(outcomes.map(({ key, status }) => ({ ...cases[Number(key) - 1]!.payload, status }))).toEqual(
    outcomes.map(({ key }) => ({ ...cases[Number(key) - 1]!.payload, status: cases[Number(key) - 1]!.ends })),
  );
  for (const { error } of outcomes) expect(error?.message.length ?? 0).toBeLessThanOrEqual(2_000);
  for (let n = 0; n < cases.length; n += 1) trial.inject(true);
  count(trial, id, cases.length, outcomes.length);
  expect(cluster.deaths).toEqual([]);
});

const ANSWERS: Record<string, ProviderAnswer> = {
  '429': { status: 429, headers: { 'retry-after': String(RETRY_AFTER_S) } },
  '503 with Retry-After': { status: 503, headers: { 'retry-after': String(RETRY_AFTER_S) } },
  '500': { status: 500 },
  garbage: { text: 'not JSON at all' },
  hang: () => undefined,
  'cut off': (response) => response.destroy(),
};

trial(
  'F26',
  'an AI provider that answers 429, 5xx, garbage, slowly or never',
  { sizes: { short: 12, medium: 60, full: 300 }, reExecutes: false },
  async (trial, documents) => {
    const client = cluster.client();
    const keys = Array.from({ length: documents }, (_, n) => `document-${n}`);
    for (const key of keys) {
      const body = JSON.stringify({ fields: { text: `This is ${key}.` } });
      await fetch(`${client.url}/api/records/documents/${key}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body });
    }
    const told = new Map<string, { name: string; at: number }[]>();
    provider.requests.length = 0;
    provider.answer = (request) => badlyAtFirst(trial, told, request);

    const options = { concurrency: 10, retryAttempts: 50, retryDelay: 50, retryBackoff: 'fixed', timeout: 2_000 };
    const { id } = await client.create({ operation: 'analyze-document', items: keys, options });
    const ended = await client.waitForEnd(id, END_MS);
    expect(ended).toMatchObject({ status: 'completed', counts: { total: documents, succeeded: documents } });
    await assertInvariants(cluster, { audited: true });

    const calls = [...told.values()];
    expect(calls).toHaveLength(documents);
    const tooSoon = calls.flatMap((of) =>
      of.filter(({ at }, n) => n > 0 && mustWait(of[n - 1]!.name) && at - of[n - 1]!.at < 1_000 * RETRY_AFTER_S),
    );
    expect(tooSoon).toEqual([]);
    trial.totals.items += documents;
    trial.totals.acknowledged += documents;
    trial.totals.executions += provider.requests.length;
    trial.notes.push(`${(provider.requests.length / documents).toFixed(2)} calls an item; asked before Retry-After: 0`);
  },
);

const mustWait = (name: string): boolean => name in ANSWERS && 'headers' in ANSWERS[name]!;

/** Up to three bad answers to each document, then a good one, which may be slow. */
async function badlyAtFirst(
  trial: Trial,
  told: Map<string, { name: string; at: number }[]>,
  { headers, at }: ProviderRequest,
): Promise<ProviderAnswer> {
  const key = String(headers['idempotency-key']);
  const before = told.get(key) ?? [];
  const isBad = before.length < 3 && trial.random.between(0, 1) < 0.5;
  const name = isBad ? trial.random.pick(Object.keys(ANSWERS)) : 'good';
  told.set(key, [...before, { name, at }]);
  if (isBad) {
    trial.inject(true);
    return ANSWERS[name]!;
  }
  await delay(trial.random.between(0, 300));
  return { findings: GOOD_FINDINGS };
}

/** Creates a batch of the payloads and waits for its end. @returns its id */
async function run(trial: Trial, payloads: object[], options: object): Promise<string> {
  await cluster.isUp({ api: 1, worker: 1 });
  const { id } = await cluster.client().create({ operation: 'trial', items: payloads.map((payload) => ({ payload })), options });
  trial.totals.acknowledged += payloads.length;
  const ended = await cluster.client().waitForEnd(id, END_MS);
  expect(ended).toMatchObject({ status: 'completed', progress: 100 });
  await assertInvariants(cluster, { audited: true });
  return id;
}

async function outcomesOf(id: string): Promise<OutcomeView[]> {
  const response = await fetch(`${cluster.client().url}/api/batches/${id}/results?limit=10000`);
  return ((await response.json()) as { data: OutcomeView[] }).data;
}

function count(trial: Trial, id: string, items: number, outcomes: number): void {
  const executions = [...cluster.log.of(id).values()];
  const all = executions.reduce((sum, of) => sum + of.length, 0);
  for (const of of executions) for (let n = 1; n < of.length; n += 1) trial.tookUpAgain(of[n - 1]!, of[n]!);
  trial.totals.items += items;
  trial.totals.lost += items - outcomes;
  trial.totals.executions += all;
  trial.totals.reExecuted += all - executions.length;
}

/** The most that ran at the same time. */
function sideBySide(executions: readonly Execution[]): number {
  const changes = executions.flatMap(({ startedAt, endedAt }) => [
    { at: startedAt, by: 1 },
    { at: endedAt ?? Infinity, by: -1 },
  ]);
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  return Math.max(...changes.map(({ by }) => (now += by)));
}
