import type { Pool } from 'pg';
import { Engine, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { nodesOf, type Plan } from './explain.js';
import { Recorder } from './recorder.js';
import { GROWING_TABLES, KNOWN_READS } from './tables.js';

/** Done for each batch, each chunk of items, and each second. */
const FREQUENT = ['insert-batch', 'claim-lane', 'record-outcomes', 'end-run', 'number-events', 'renew-leases'];

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.start();
});

afterAll(() => engine.close());

test('the plans that are kept of a database that was empty read no table that grows', async () => {
  const { pool, heartbeats } = engine.database;
  const recorders = [pool, heartbeats].map((of) => ({ pool: of, recorder: new Recorder(of), texts: new Map<string, string>() }));
  const seen = (): string[] => {
    for (const { recorder, texts } of recorders) {
      for (const { name, text, isNamed } of recorder.take()) if (isNamed) texts.set(name, text);
    }
    return recorders.flatMap(({ texts }) => [...texts.keys()]);
  };
  let release: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const batch = await engine.run(() => released, { items: keys(20) });
  await eventually(seen, (names) => names.includes('renew-leases'));
  release!();
  await engine.ended(batch);

  expect(seen()).toEqual(expect.arrayContaining(FREQUENT));
  const reads = await Promise.all(
    recorders.flatMap(({ pool: of, texts }) =>
      [...texts].map(async ([name, text]) => (await wholeTables(of, text)).map((table) => `${name}: all of ${table}`)),
    ),
  );
  expect(reads.flat().filter((read) => !(read in KNOWN_READS))).toEqual([]);
});

/** Tables that grow, of which the plan for any values reads all. */
async function wholeTables(pool: Pool, text: string): Promise<string[]> {
  if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i.test(text)) return [];
  const { rows } = await pool.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`);
  return nodesOf(rows[0]!['QUERY PLAN'][0].Plan)
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name']!)
    .filter((table) => GROWING_TABLES.includes(table));
}
