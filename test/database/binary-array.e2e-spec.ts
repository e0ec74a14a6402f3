import fc from 'fast-check';
import { Client } from 'pg';
import { bigintArray, byteaArray, doubleArray, integerArray, smallintArray, textArray } from '../../src/database/binary-array.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new Client(database.url);
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

async function read<T>(type: string, array: Buffer): Promise<T[]> {
  const { rows } = await client.query<{ values: T[] }>(`SELECT $1::${type}[] AS values`, [array]);
  return rows[0]!.values;
}

test('any texts and nulls arrive as they are', async () => {
  const text = fc.option(fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', '').toWellFormed()));
  await fc.assert(fc.asyncProperty(fc.array(text), async (values) => expect(await read('text', textArray(values))).toEqual(values)));
});

test('any bytes and nulls arrive as they are', async () => {
  const bytes = fc.option(fc.uint8Array().map((value) => Buffer.from(value)));
  await fc.assert(fc.asyncProperty(fc.array(bytes), async (values) => expect(await read('bytea', byteaArray(values))).toEqual(values)));
});

test('any whole numbers arrive as they are, to the ends of their types', async () => {
  const least = { smallint: -(2 ** 15), integer: -(2 ** 31), bigint: Number.MIN_SAFE_INTEGER };
  const arrayOf = { smallint: smallintArray, integer: integerArray, bigint: bigintArray };
  for (const type of ['smallint', 'integer', 'bigint'] as const) {
    const values = fc.array(fc.integer({ min: least[type], max: -least[type] - 1 }));
    await fc.assert(
      fc.asyncProperty(values, async (numbers) => expect((await read(type, arrayOf[type](numbers))).map(Number)).toEqual(numbers)),
    );
  }
});

test('any numbers and nulls arrive as they are', async () => {
  const values = fc.array(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0))));
  await fc.assert(fc.asyncProperty(values, async (numbers) => expect(await read('float8', doubleArray(numbers))).toEqual(numbers)));
});

test('an array that is shorter than its neighbours is filled up with nulls', async () => {
  const { rows } = await client.query('SELECT * FROM unnest($1::int[], $2::text[]) AS t (seq, error)', [integerArray([1, 2]), null]);
  expect(rows).toEqual([
    { seq: 1, error: null },
    { seq: 2, error: null },
  ]);
});

test('a text with a NUL is refused', async () => {
  await expect(read('text', textArray(['a\0b']))).rejects.toMatchObject({ code: '22021' });
});
