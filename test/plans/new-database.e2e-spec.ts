import type { PoolClient } from 'pg';
import { Engine, keys } from '../support/engine.js';
import { nodesOf, type Plan } from './explain.js';
import { Recorder } from './recorder.js';
import { GROWING_TABLES } from './tables.js';

let engine: Engine;
let recorder: Recorder;

beforeAll(async () => {
  engine = await Engine.start();
  recorder = new Recorder(engine.database.pool);
});

afterAll(() => engine.close());

test('the plans that are kept of a database that was empty read no table that grows', async () => {
  const batch = await engine.create({ items: keys(20) });
  await engine.ended(batch);
  const named = new Map(
    recorder
      .take()
      .filter(({ isNamed }) => isNamed)
      .map(({ name, text }) => [name, text]),
  );

  const connection = await engine.database.pool.connect();
  const reads: string[] = [];
  for (const [name, text] of named) reads.push(...(await wholeTables(connection, text)).map((table) => `${name}: ${table}`));
  connection.release();

  expect([...named.keys()]).toEqual(expect.arrayContaining(['insert-batch', 'claim-lane', 'record-outcomes', 'end-run', 'number-events']));
  expect(reads).toEqual([]);
});

async function wholeTables(connection: PoolClient, text: string): Promise<string[]> {
  if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b/i.test(text)) return [];
  const { rows } = await connection.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`);
  return nodesOf(rows[0]!['QUERY PLAN'][0].Plan)
    .filter((node) => node['Node Type'] === 'Seq Scan' && GROWING_TABLES.includes(node['Relation Name']!))
    .map((node) => node['Relation Name']!);
}
