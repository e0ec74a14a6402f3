import { Client } from 'pg';
import { checkServer } from '../../src/database/check-server.js';
import { dataSourceOptions, openDataSource } from '../../src/database/data-source.js';
import { Api } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTestService } from '../support/service.js';

let database: TestDatabase;
let name: string;

beforeEach(async () => {
  database = await createTestDatabase();
  name = new URL(database.url).pathname.slice(1);
});
afterEach(() => database.drop());

/** The embedded server's superuser has the same password. */
async function asSuperuser(sql: string, at = 'postgres'): Promise<void> {
  const url = new URL(database.url);
  Object.assign(url, { username: 'postgres', pathname: `/${at}` });
  const client = new Client({ connectionString: url.toString() });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const start = (url = database.url) => openDataSource(dataSourceOptions(url, 20));

test('a database whose encoding cannot hold every text stops the start, with how to make one that can', async () => {
  await asSuperuser(`DROP DATABASE ${name}`);
  await asSuperuser(`CREATE DATABASE ${name} OWNER batchwise ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0`);
  await expect(start()).rejects.toThrow(
    `PostgreSQL cannot be used (DATABASE_URL): the database ${name} has the encoding LATIN1, which cannot hold every text; ` +
      `make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0`,
  );
});

test('a database that is set to read-only stops the start', async () => {
  await asSuperuser(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  await expect(start()).rejects.toThrow('it is set to read-only (default_transaction_read_only), and takes no changes');
});

test('a user without the right to make tables stops the start, with the right that is missing', async () => {
  const role = `reader_${name}`;
  await asSuperuser(`CREATE ROLE ${role} LOGIN PASSWORD 'a-password'`);
  await asSuperuser(`REVOKE CREATE ON SCHEMA public FROM PUBLIC`, name);
  const url = Object.assign(new URL(database.url), { username: role, password: 'a-password' });
  await expect(start(url.toString())).rejects.toThrow(/permission denied for schema public; .* GRANT CREATE ON SCHEMA public TO/);
  await asSuperuser(`DROP ROLE ${role}`);
});

test('a server without a connection left stops the start, with the settings that decide', async () => {
  await asSuperuser(`ALTER DATABASE ${name} CONNECTION LIMIT 0`);
  await expect(start()).rejects.toThrow(/^PostgreSQL cannot be used .*too many connections.*max_connections.*DATABASE_POOL_SIZE/);
  await asSuperuser(`ALTER DATABASE ${name} CONNECTION LIMIT 3`);
  await expect(start()).rejects.toThrow(
    /^PostgreSQL cannot be used .*it has room for 3 connections of this service, and one process needs 4.*the database's own limit is 3/,
  );
});

test('a process opens no more connections than the server allows, and answers all that come at once', async () => {
  await asSuperuser(`ALTER DATABASE ${name} CONNECTION LIMIT 8`);
  const service = await startTestService({ DATABASE_URL: database.url });
  expect(service.database.pool.options.max).toBe(6);
  const api = new Api(service.url);
  const answers = await Promise.all(Array.from({ length: 40 }, () => api.post('/api/batches', { operation: 'noop', items: ['a'] })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  await service.close();
});

/** Of a server with 20 connections that nobody else uses. */
const SMALL = {
  version: '18.4',
  version_number: 180_004,
  encoding: 'UTF8',
  database: 'b',
  standby: false,
  read_only: false,
  superuser: false,
  max_connections: 20,
  reserved: 3,
  role_limit: -1,
  database_limit: -1,
  others: 0,
  others_of_role: 0,
  others_of_database: 0,
};

test.each([
  ['of another release', { version: '13.23', version_number: 130_023 }, /^it is PostgreSQL 13.23, and this service needs 14 or newer$/],
  ['that is a standby', { standby: true }, /^it is a standby, which takes no changes; name the primary$/],
  ['with three connections for us', { others: 14 }, /room for 3 connections .* 14 are used by others/],
])('a server %s is refused', async (_which, facts, message) => {
  await expect(
    checkServer(
      async <Row>() => [{ ...SMALL, ...facts }] as Row[],
      20,
      () => undefined,
    ),
  ).rejects.toThrow(message);
});

test.each([
  ['20 connections of which 3 are reserved', {}, 15],
  ['20 connections, and a superuser', { superuser: true }, 18],
  ['20 connections, of which others use 5', { others: 5 }, 10],
  ['a limit for the user, who has 2 others', { role_limit: 12, others_of_role: 2 }, 8],
  ['100 connections', { max_connections: 100 }, 20],
])('of a server with %s a process takes what is left, and says so', async (_which, facts, fitting) => {
  const warnings: string[] = [];
  const ask = async <Row>() => [{ ...SMALL, ...facts }] as Row[];
  expect(await checkServer(ask, 20, (message) => warnings.push(message))).toBe(fitting);
  if (fitting === 20) expect(warnings).toEqual([]);
  else {
    expect(warnings).toEqual([
      expect.stringMatching(new RegExp(`max_connections is 20.*opens ${fitting} instead of DATABASE_POOL_SIZE 20.*N processes share them`)),
    ]);
  }
});
