import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, START_MS } from '../../support/cluster.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { Submitter } from '../../support/submitter.js';
import { APIS, SEED, trial } from '../../support/trial.js';
import { examine } from '../../support/workload.js';

/** Where an api process kills itself: around the statements of a create, in their order. */
const MARKS = [
  'next-run-id:after',
  'insert-chunks:before',
  'insert-chunks:after',
  'insert-batch:before',
  'insert-batch:after',
  'accept-intake:before',
  'accept-intake:after',
  'insert-events:before',
  'insert-events:after',
  'start-run:after',
  'COMMIT:before',
  'COMMIT:after',
];
/** The largest is written in two slices. */
const SIZES = [1, 2, 7, 20, 60, 60, 100, 300, 400, 6_000];
const CLIENTS = 6;
const SOURCES = join(__dirname, '../../../src/batches');

const random = new SeededRandom(SEED);
/** Every mark in turn, and as often a moment that the test chooses. */
const marks = [...MARKS].sort(() => random.between(-1, 1));
let started = 0;
const nextMark = (): string => {
  started += 1;
  return started % 2 === 0 ? '' : `${marks[((started - 1) / 2) % marks.length]}:${random.whole(1, 6)}`;
};

let cluster: Cluster;

beforeAll(async () => {
  const envOf = (role: string): Record<string, string> => (role === 'api' ? { KILL_AT: nextMark() } : {});
  cluster = await Cluster.start({ apis: APIS, workers: 1, envOf });
  await installAudit(cluster);
}, START_MS);
afterAll(() => cluster.close(), 120_000);

it('kills at statements that there are: a process that waits for another one would never die', () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const sources = files.map((file) => readFileSync(join(SOURCES, file), 'utf8')).join('');

  const statements = new Set(MARKS.map((mark) => mark.split(':', 1)[0]!).filter((statement) => statement !== 'COMMIT'));
  expect([...statements].filter((statement) => !sources.includes(`name: '${statement}'`))).toEqual([]);
});

trial(
  'F02',
  'kill -9 of an api process in the middle of a create, at twelve marks and at random',
  { sizes: { short: 6, medium: 25, full: 500 }, reExecutes: false },
  async (trial, kills) => {
    const submitter = new Submitter(cluster);
    let submitting = true;
    const submit = async (): Promise<void> => {
      while (submitting && !trial.over) {
        await cluster.isUp({ api: 1 });
        const items = Array.from({ length: trial.random.pick(SIZES) }, (_, n) => `key ${n}`);
        const answer = await submitter.create({ operation: 'trial', items, options: { concurrency: 100, batchSize: 500 } });
        if (answer !== 'unknown' && 'created' in answer) await examine(cluster, trial, answer.created);
      }
    };
    for (let client = 1; client <= CLIENTS; client += 1) trial.alongside(submit());

    let served = 0;
    while (trial.hasMore(kills)) {
      await killAtRandom();
      for (const { at } of cluster.deaths.splice(0).filter(({ how }) => how === 'SIGKILL')) trial.inject(true, undefined, at);
      await submitter.assertNothingHalf();
      await assertInvariants(cluster, { audited: true });
    }

    submitting = false;
    await trial.settle();
    await submitter.assertNothingHalf();
    await assertInvariants(cluster, { audited: true });
    trial.didAgain(submitter.acknowledged.map(({ at }) => at));
    const { attempts, acknowledged, unknown, refusals } = submitter;
    // A process that dies tells nobody anything: no answer, or the truth.
    expect([...refusals.keys()].filter((status) => status !== 0)).toEqual([]);
    trial.notes.push(`${attempts} attempts, ${acknowledged.length} acknowledged, ${unknown} without answer, half batches 0`);

    async function killAtRandom(): Promise<void> {
      const victim = cluster.apis.find((service) => cluster.envOf(service).KILL_AT === '');
      if (!victim || submitter.inFlight === 0 || submitter.acknowledged.length < served) return delay(20);
      served = submitter.acknowledged.length + trial.random.whole(0, 4);
      await delay(trial.random.between(0, 60));
      const struck = submitter.inFlight > 0;
      await cluster.end(victim, 'SIGKILL');
      trial.inject(struck);
    }
  },
);
