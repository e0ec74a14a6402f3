import { Engine, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { Explainer } from './explain.js';
import { readIndexes, readsTooMuch } from './judge.js';
import { CAN_BE_PLANNED } from './planned-statements.js';
import { Recorder, type Recorded } from './recorder.js';
import { KNOWN_READS } from './tables.js';

/** Done for each batch, each chunk of items, and each second. */
const FREQUENT = ['insert-batch', 'claim-lane', 'record-outcomes', 'end-run', 'number-events', 'renew-leases'];

/** Reads of a partial index that end with the first statistics, and why they may be. */
const WHILE_NEW: Record<string, string> = {
  'find-stuck-runs: all of chunk': 'those that workers hold at the moment',
  'find-due-rollbacks: all of compensation': 'only when a rollback is due for an operation that this process does not know',
};

let engine: Engine;

beforeAll(async () => {
  engine = await Engine.start();
});

afterAll(() => engine.close());

test('the plans that are kept of a database that was empty read no more than others may', async () => {
  const statements = await statementsOfABatch();
  expect([...statements.keys()]).toEqual(expect.arrayContaining(FREQUENT));

  const { pool } = engine.database;
  const explainer = new Explainer(pool);
  const indexes = await readIndexes(pool);
  const reads: string[] = [];
  for (const [name, statement] of statements) {
    if (!CAN_BE_PLANNED.test(statement.text)) continue;
    reads.push(...readsTooMuch(await explainer.forAny(statement), indexes).map((read) => `${name}: ${read}`));
  }
  expect(reads.filter((read) => !(read in KNOWN_READS) && !(read in WHILE_NEW))).toEqual([]);
});

test('heartbeats are planned like all else', async () => {
  const { pool, heartbeats } = engine.database;
  const settings = await Promise.all(
    [pool, heartbeats].map(
      async (of) => (await of.query(`SELECT current_setting('enable_seqscan') AS seqscan, current_setting('jit') AS jit`)).rows,
    ),
  );
  expect(settings).toEqual([[{ seqscan: 'off', jit: 'off' }], [{ seqscan: 'off', jit: 'off' }]]);
});

/** Those with a name that a batch makes, which is held until a heartbeat has come. */
async function statementsOfABatch(): Promise<Map<string, Recorded>> {
  const { pool, heartbeats } = engine.database;
  const recorders = [new Recorder(pool), new Recorder(heartbeats)];
  const statements = new Map<string, Recorded>();
  const note = (): void => {
    for (const statement of recorders.flatMap((recorder) => recorder.take()))
      if (statement.isNamed) statements.set(statement.name, statement);
  };
  let release: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const batch = await engine.run(() => released, { items: keys(20) });
  await eventually(note, () => statements.has('renew-leases'));
  release!();
  await engine.ended(batch);
  note();
  return statements;
}
