import { once } from 'node:events';
import type { PoolClient } from 'pg';
import { toProblem } from '../../src/common/problem.js';
import type { Connection } from '../../src/database/sql.js';
import { Engine } from '../support/engine.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api' })));
afterAll(() => engine.close());

/** The connection's server process is ended, and its client has heard of it. */
async function cutOff(connection: Connection): Promise<void> {
  const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const cut = once(connection as PoolClient, 'error').catch((error: unknown) => error);
  await engine.sql('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
  await cut;
  await new Promise(setImmediate);
}

test.each<[when: string, then: (connection: Connection) => Promise<unknown>]>([
  ['before it commits', async () => undefined],
  ['between two of its statements', (connection) => connection.query('SELECT 1')],
])('a transaction that loses its connection %s is answered with 503 and when to try again', async (_when, then) => {
  const lost = engine.database.transaction(async (connection) => {
    await cutOff(connection);
    await then(connection);
  });
  const problem = toProblem(await lost.catch((error: unknown) => error));
  expect(problem).toMatchObject({ expected: true, retryAfterMs: 2_000, body: { statusCode: 503 } });
});
