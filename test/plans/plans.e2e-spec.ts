import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { completeOptions } from '../../src/batches/dialects.js';
import { Config } from '../../src/config.js';
import { PLAN_SETTINGS } from '../../src/database/plan-settings.js';
import { Engine } from '../support/engine.js';
import { changing } from './calls/changing.js';
import { reading } from './calls/reading.js';
import { records } from './calls/records.js';
import { sweeping } from './calls/sweeping.js';
import { undoing } from './calls/undoing.js';
import { working } from './calls/working.js';
import { keptPlans } from './kept-plans.js';
import { PlannedStatements } from './planned-statements.js';
import { Recorder } from './recorder.js';
import { fillDatabase } from './seed.js';
import { GROWING_TABLES, KNOWN_READS, SMALL_TABLES } from './tables.js';

const CALLS = { working, reading, changing, records, undoing, sweeping };
const GROUPS = Object.keys(CALLS);

let engine: Engine;
let client: Client;
let planned: PlannedStatements;

beforeAll(async () => {
  engine = await Engine.start({ ROLE: 'api' });
  const { database, service } = engine;
  await fillDatabase(database.pool, completeOptions({}, 'native', { config: service.app.get(Config), concurrency: 10 }));
  client = new Client({ connectionString: service.databaseUrl, options: PLAN_SETTINGS });
  await client.connect();
  // Of so many rows that statistics are of all of them, and not of some that were drawn.
  await client.query('SET default_statistics_target = 1000');
  await client.query('VACUUM ANALYZE');
  planned = await PlannedStatements.on(client);
  const recorder = new Recorder(database.pool);
  for (const [group, calls] of Object.entries(CALLS)) {
    await recorder.during(group, () => calls(engine, recorder));
    await planned.add(group, recorder.take());
  }
}, 240_000);

afterAll(async () => {
  await client.end();
  await engine.close();
});

test.each(GROUPS)('plans of statements for %s are those that are kept', (group) => {
  const now = planned.textOf(group);
  expect(now).toBe(keptPlans(group, now));
});

test('no statement reads all of a table that grows, or all that a run has in one, but those that are known to', () => {
  expect(planned.reads.filter((read) => !(read in KNOWN_READS))).toEqual([]);
});

test('a read that is known is there; one that was mended is not known any more', () => {
  const { reads } = planned;
  expect(Object.keys(KNOWN_READS).filter((read) => !reads.includes(read))).toEqual([]);
});

test('every statement with a name was seen', () => {
  expect(namesInSources().filter((name) => !planned.names.has(name) && !(name in NOT_SEEN))).toEqual([]);
});

test('every table of the database is known to grow or to stay small', async () => {
  const { rows } = await client.query<{ name: string }>(`SELECT relname AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`);
  expect(rows.map(({ name }) => name).sort()).toEqual([...GROWING_TABLES, ...SMALL_TABLES].sort());
});

const SOURCES = join(__dirname, '../../src');
const NOT_SEEN = {
  'select-working-backends': 'asks the server about itself, on connections of its own',
  'select-no-space': 'runs by the clock, not by a call; reads the table of workers, which has a row for each',
};

function namesInSources(): string[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.flatMap((file) =>
    [...readFileSync(join(SOURCES, file), 'utf8').matchAll(/name: '([a-z-]+)',\s+text:/g)].map(([, name]) => name!),
  );
}
