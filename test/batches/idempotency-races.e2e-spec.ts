import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { type Caller, Procedures } from '../../src/common/procedure.js';
import { Idempotency } from '../../src/idempotency/idempotency.js';
import { createTestDatabase } from '../support/database.js';
import { Engine } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';
import { spawnService } from '../support/process.js';
import { PAIRS, Race, RaceReport, type Winner } from '../support/race.js';
import { Client } from 'pg';

/** Requests at once with one key. */
const CROWD = 20;
const ROUNDS = Math.ceil(PAIRS / CROWD);
const PAIR_MS = 400;

let engine: Engine;
let keyNo = 0;

beforeAll(async () => (engine = await Engine.start({ CREATE_LIMIT_PER_MINUTE: '1000000' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

interface Answer {
  status: number;
  text: string;
}

const newKey = () => `race-${(keyNo += 1)}`;
const bodyOf = (name: string) => ({ operation: 'noop', name, items: ['a'], start: false });

async function create(url: string, key: string, body: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key };
  const response = await fetch(`${url}/api/batches`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

const named = (name: string) => engine.sql<{ id: string }>('SELECT id FROM batch WHERE name = $1', [name]);

/** Races pairs of a kind, or crowds; each pair says who won, or throws when a rule was broken. */
async function raceAll(kind: string, rounds: number, round: (race: Race, key: string) => Promise<Winner>): Promise<void> {
  const [race, report] = [new Race(), new RaceReport(kind)];
  for (let left = rounds; left > 0; left -= 1) {
    const key = newKey();
    await report.play(key, async () => {
      const winner = await round(race, key);
      if (winner !== 'both') race.won(winner);
      return winner;
    });
  }
  report.close();
}

test(
  'of twenty at once with one key one makes the batch, and all that succeed are told of the same one',
  () =>
    raceAll('twenty creations with one key', ROUNDS, async (_race, key) => {
      const answers = await Promise.all(Array.from({ length: CROWD }, () => create(engine.service.url, key, bodyOf(key))));
      const good = answers.filter(({ status }) => status === 201);
      expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
      expect(good.length).toBeGreaterThan(0);
      expect(new Set(good.map(({ text }) => text)).size).toBe(1);
      expect(await named(key)).toHaveLength(1);
      expect(await create(engine.service.url, key, bodyOf(key))).toEqual(good[0]);
      return good.length > 1 ? 'both' : 'first';
    }),
  60_000 + ROUNDS * CROWD * PAIR_MS,
);

test(
  `of two at once with one key one makes the batch, ${PAIRS} times`,
  () =>
    raceAll('two creations with one key', PAIRS, async (race, key) => {
      const one = () => create(engine.service.url, key, bodyOf(key));
      const answers = await race.run(one, one);
      const good = answers.filter(({ status }) => status === 201);
      expect(answers.map(({ status }) => status).every((status) => status === 201 || status === 409)).toBe(true);
      expect(new Set(good.map(({ text }) => text)).size).toBe(1);
      expect(await named(key)).toHaveLength(1);
      if (good.length === 2) return 'both';
      return answers[0] === good[0] ? 'first' : 'second';
    }),
  60_000 + PAIRS * PAIR_MS,
);

test(
  `of two different requests at once with one key one is carried out, ${PAIRS} times`,
  () =>
    raceAll('two different creations with one key', PAIRS, async (race, key) => {
      const names = [`${key} first`, `${key} second`];
      const answers = await race.run(
        () => create(engine.service.url, key, bodyOf(names[0]!)),
        () => create(engine.service.url, key, bodyOf(names[1]!)),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 422]);
      const isFirst = answers[0].status === 201;
      expect([(await named(names[0]!)).length, (await named(names[1]!)).length]).toEqual(isFirst ? [1, 0] : [0, 1]);
      return isFirst ? 'first' : 'second';
    }),
  60_000 + PAIRS * PAIR_MS,
);

test(
  `a request and the one that took its key over make one batch, whoever is first, ${PAIRS} times`,
  async () => {
    const idempotency = engine.service.app.get(Idempotency);
    const procedures = engine.service.app.get(Procedures);
    await raceAll('a creation and the one that took its key over', PAIRS, async (race, key) => {
      const request = { caller: { tenant: 'default' }, key, fingerprint: key };
      const make = (caller: Caller) => procedures.call(CreateBatch, bodyOf(key), caller);
      const takeOver = () => idempotency.once(request, make);
      let winner: 'first' | 'second' | undefined;
      const slow = idempotency.once(request, async (caller) => {
        await engine.sql(`UPDATE idempotency_key SET claimed_until = '-infinity' WHERE key = $1`, [key]);
        const [made, taken] = await race.run(() => make(caller).catch((error: Error) => error), takeOver);
        winner = made instanceof Error ? 'second' : 'first';
        if (made instanceof Error) {
          expect(made).toMatchObject({ code: 'CONFLICT' });
          expect(taken).toMatchObject({ answer: { name: key } });
          throw made;
        }
        // The other one came after it, or found the key held.
        if (!(taken instanceof Error)) expect(taken).toMatchObject({ answer: { id: made.id } });
        return made;
      });
      await slow.catch((error: unknown) => expect(error).toMatchObject({ code: 'CONFLICT' }));
      expect(await named(key)).toHaveLength(1);
      return winner!;
    });
  },
  60_000 + PAIRS * PAIR_MS,
);

test('a process that is killed between the commit and the answer makes no second batch, and another one gives the answer', async () => {
  const database = await createTestDatabase();
  const service = await spawnService({ DATABASE_URL: database.url });
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`
    CREATE FUNCTION wait_before_answer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.answer IS NOT NULL THEN PERFORM pg_advisory_xact_lock(4711); END IF; RETURN NEW;
    END $$;
    CREATE TRIGGER waits BEFORE UPDATE ON idempotency_key FOR EACH ROW EXECUTE FUNCTION wait_before_answer();
    SELECT pg_advisory_lock(4711)`);
  const lost = create(service.url, 'killed', bodyOf('killed')).catch(() => 'no answer');
  const written = () =>
    client.query<{ id: string }>(`SELECT b.id FROM batch b, idempotency_key k WHERE k.key = 'killed' AND k.output IS NOT NULL`);
  const [batch] = (await eventually(written, ({ rows }) => rows.length === 1, 60_000)).rows;
  await service.end('SIGKILL');
  expect(await lost).toBe('no answer');
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  await client.query('DROP FUNCTION wait_before_answer CASCADE');
  const next = await spawnService({ DATABASE_URL: database.url });
  expect(await create(next.url, 'killed', bodyOf('killed'))).toMatchObject({ status: 409 });
  await client.query(`UPDATE idempotency_key SET claimed_until = '-infinity'`);
  const answer = await create(next.url, 'killed', bodyOf('killed'));
  expect(answer.status).toBe(201);
  expect((JSON.parse(answer.text) as { data: { id: string } }).data.id).toBe(batch!.id);
  expect((await client.query('SELECT FROM batch')).rowCount).toBe(1);
  await next.end('SIGTERM');
  await client.end();
  await database.drop();
}, 180_000);
