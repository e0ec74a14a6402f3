import fc from 'fast-check';
import { parseRows, rowsFromArray } from '../../src/records/parse/parse-rows.js';
import { parseAll, read } from './bytes.js';

const MB = 1_048_576;

describe('NDJSON', () => {
  test('one object a line, whatever ends the lines; blank lines and a byte order mark do not count', async () => {
    expect(await read('\ufeff{"a":1}\r\n\n  \n{"a":2}\n{"a":"ü"}', 'ndjson')).toEqual([{ a: 1 }, { a: 2 }, { a: 'ü' }]);
  });

  test('a wrong line is told by its number, and the lines after it are read', async () => {
    expect(await read('{"a":1}\n{"a":\n[1]\n\n"text"\n{"a":2}', 'ndjson')).toEqual([
      { a: 1 },
      expect.stringMatching(/^2: not JSON/),
      '3: a row must be a JSON object',
      '5: a row must be a JSON object',
      { a: 2 },
    ]);
  });

  test('a line that is not UTF-8 is told by its number', async () => {
    const bytes = Buffer.concat([Buffer.from('{"a":"é"}\n{"a":"'), Buffer.from([0xe9]), Buffer.from('"}\n{"a":3}')]);
    expect(await read(bytes, 'ndjson')).toEqual([{ a: 'é' }, '2: not valid UTF-8', { a: 3 }]);
  });

  test('a line longer than 1 MB is told and passed over', async () => {
    const text = `{"a":1}\n{"a":"${'x'.repeat(MB)}"}\n{"a":3}`;
    const { rows } = await parseAll(text, 'ndjson', {}, 65_536);
    expect(rows).toMatchObject([
      { row: { a: 1 } },
      { line: 2, problem: expect.stringContaining('longer than') as string },
      { row: { a: 3 } },
    ]);
  });

  test.each(['{"__proto__":{"admin":true}}', '{"a":{"constructor":1}}', '{"a":[{"prototype":1}]}', '{"\\u005f_proto__":1}'])(
    'a field that could reach a prototype is refused at any depth: %s',
    async (line) => {
      expect(await read(line, 'ndjson')).toEqual([
        expect.stringMatching(/^1: ([a.0]+: )?(__proto__|constructor|prototype) cannot be the name of a field/),
      ]);
    },
  );

  test.each([
    ['NUL', '{"a":"\\u0000"}'],
    ['half a surrogate pair', '{"a":{"b":["\\ud800"]}}'],
    ['NUL in a name', '{"\\u0000":1}'],
  ])('text that PostgreSQL cannot store is refused: %s', async (_what, line) => {
    expect(await read(line, 'ndjson')).toEqual([expect.stringMatching(/NUL or broken/)]);
  });

  test('an emoji written as two escapes is whole', async () => {
    expect(await read('{"a":"\\ud83d\\ude00"}', 'ndjson')).toEqual([{ a: '😀' }]);
  });

  test('rows nested deeper than 100 or with more than 1000 fields are refused', async () => {
    const deep = `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`;
    const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`f${index}`, index])));
    const abyss = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect((await parseAll(`${deep}\n${wide}\n${abyss}`, 'ndjson', {}, 65_536)).rows).toMatchObject([
      { problem: expect.stringContaining('100 levels deep at most') as string },
      { problem: expect.stringContaining('at most 1000 fields') as string },
      { problem: expect.stringContaining('100 levels deep at most') as string },
    ]);
  });

  test('property: what was written is read again, however the bytes are cut', () =>
    fc.assert(
      fc.asyncProperty(rowsArbitrary(), fc.integer({ min: 1, max: 40 }), fc.constantFrom('\n', '\r\n'), async (rows, size, newline) => {
        const text = rows.map((row) => JSON.stringify(row)).join(newline);
        const { rows: parsed } = await parseAll(text, 'ndjson', {}, size);
        expect(parsed.map((row) => 'row' in row && row.row)).toEqual(rows);
        expect(parsed.map((row) => 'line' in row && row.line)).toEqual(rows.map((_, index) => index + 1));
      }),
    ));
});

describe('a JSON array', () => {
  test('elements come out one by one, with the lines they begin at', async () => {
    const { rows } = await parseAll('\ufeff [\n {"a":1},\n {"a":"],\\"{",\n "b":[1,[2]]} , {"a":3}\n]\n', 'json');
    expect(rows).toMatchObject([
      { line: 2, row: { a: 1 } },
      { line: 3, row: { a: '],"{', b: [1, [2]] } },
      { line: 4, row: { a: 3 } },
    ]);
  });

  test.each(['[]', ' [ \n ] '])('an empty one has no rows: %j', async (text) => expect(await read(text, 'json')).toEqual([]));

  test('wrong elements are told, and those after them are read', async () => {
    expect(await read('[1, {"a":}, {"a":2},, {"b":1} {"c":2}, {"d":4}]', 'json')).toEqual([
      '1: a row must be a JSON object',
      expect.stringMatching(/^1: not JSON/),
      { a: 2 },
      '1: an element is missing before this comma or bracket',
      expect.stringMatching(/^1: not JSON/),
      { d: 4 },
    ]);
  });

  test('an array that is cut off keeps its whole elements and tells of the rest', async () => {
    expect(await read('[{"a":1},\n{"a":', 'json')).toEqual([
      { a: 1 },
      expect.stringMatching(/^2: the file ends before .* line 2 is not complete$/),
    ]);
  });

  test.each(['{"a":1}', 'a,b\n1,2', '', '[{"a":1}] {"b":2}'])('what is no array is refused: %j', async (text) => {
    await expect(read(text, 'json')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('an element longer than 1 MB is told and passed over', async () => {
    const { rows } = await parseAll(`[{"a":1},{"a":"${'x'.repeat(MB)}"},{"a":3}]`, 'json', {}, 65_536);
    expect(rows).toMatchObject([
      { row: { a: 1 } },
      { line: 1, problem: expect.stringContaining('longer than') as string },
      { row: { a: 3 } },
    ]);
  });

  test('property: what was written is read again, however the bytes are cut', () =>
    fc.assert(
      fc.asyncProperty(rowsArbitrary(), fc.integer({ min: 1, max: 40 }), fc.constantFrom(0, 2), async (rows, size, indent) => {
        const { rows: parsed } = await parseAll(JSON.stringify(rows, null, indent), 'json', {}, size);
        expect(parsed.map((row) => 'row' in row && row.row)).toEqual(rows);
      }),
    ));
});

test('rows in memory are checked like rows of a file', async () => {
  const rows = [];
  for await (const block of rowsFromArray([{ a: 1 }, 5, null, { constructor: 1 }])) rows.push(...block);
  expect(rows.map((row) => ('row' in row ? row.row : 'problem' in row && row.line))).toEqual([{ a: 1 }, 2, 3, 4]);
});

test('no more is read than is asked for', async () => {
  let pieces = 0;
  let closed = false;
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        pieces += 1;
        await Promise.resolve();
        yield Buffer.from(`{"a":${pieces}}\n`);
      }
    } finally {
      closed = true;
    }
  }
  for await (const block of parseRows(endless, 'ndjson')) if (block.length > 0 && pieces > 5) break;
  expect(pieces).toBeLessThan(10);
  expect(closed).toBe(true);
});

function rowsArbitrary(): fc.Arbitrary<Record<string, unknown>[]> {
  const name = fc
    .string({ minLength: 1, maxLength: 8 })
    .filter((text) => !text.includes('\0') && !['__proto__', 'constructor', 'prototype'].includes(text));
  const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed().replaceAll('\0', ''));
  const value = fc.oneof(
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.boolean(),
    fc.constant(null),
    fc.array(text, { maxLength: 3 }),
  );
  return fc.array(fc.dictionary(name, value, { maxKeys: 5, noNullPrototype: true }), { maxLength: 20 });
}
