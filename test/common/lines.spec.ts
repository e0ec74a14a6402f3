import fc from 'fast-check';
import { Readable } from 'node:stream';
import { type Line, linesOf } from '../../src/common/lines.js';

async function read(chunks: Buffer[]): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const slice of linesOf(Readable.from(chunks))) lines.push(...slice);
  return lines;
}

const readText = (text: string) => read([Buffer.from(text)]);

test('lines are the same wherever the stream is cut', async () => {
  const bytes = Buffer.concat([
    Buffer.from('\uFEFF{"ä":"😀"}\r\n\n  \nzwei\n'),
    Buffer.from([0xff, 0x0a]),
    Buffer.from('vier\r\n'),
    Buffer.from('fünf'),
  ]);
  const whole = await read([bytes]);
  for (let at = 0; at <= bytes.length; at += 1) {
    expect(await read([bytes.subarray(0, at), bytes.subarray(at)].filter(({ length }) => length > 0))).toEqual(whole);
  }
  expect(await read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  expect(whole).toEqual([
    { line: 1, text: '{"ä":"😀"}' },
    { line: 4, text: 'zwei' },
    { line: 5, text: '', problem: 'not valid UTF-8' },
    { line: 6, text: 'vier' },
    { line: 7, text: 'fünf' },
  ]);
});

test('any text comes out line by line, in any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\n\r]/g, ' '))),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      async (texts, sizes) => {
        const bytes = Buffer.from(texts.join('\n'));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value!;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const expected = texts.map((text, index) => ({ line: index + 1, text: text.trim() })).filter(({ text }) => text !== '');
        expect(await read(chunks)).toEqual(expected);
      },
    ),
    { numRuns: 300 },
  );
});

test('an empty stream has no lines, and neither have blank ones', async () => {
  expect(await read([])).toEqual([]);
  expect(await readText('\n\r\n \t \n')).toEqual([]);
});

test('a line of a megabyte is read, a longer one is told with its number and the rest goes on', async () => {
  const fits = 'x'.repeat(1_048_576);
  const lines = await read([Buffer.from(`a\n${fits}\n`), Buffer.from(`${fits}`), Buffer.from('y\nb\n')]);
  expect(lines.map(({ line, problem, text }) => [line, problem ?? text.length])).toEqual([
    [1, 1],
    [2, 1_048_576],
    [3, 'longer than 1048576 bytes'],
    [4, 1],
  ]);
});

test('memory does not grow with a line without an end', async () => {
  async function* endless() {
    for (let n = 0; n < 500; n += 1) yield Buffer.alloc(1_048_576, 'x');
    yield Buffer.from('\nend');
  }
  const lines: Line[] = [];
  for await (const slice of linesOf(endless())) lines.push(...slice);
  expect(lines).toEqual([
    { line: 1, text: '', problem: 'longer than 1048576 bytes' },
    { line: 2, text: 'end' },
  ]);
});

test('a stream that fails passes its error on', async () => {
  async function* broken() {
    yield Buffer.from('a\nb');
    throw new Error('cut');
  }
  await expect(async () => {
    for await (const slice of linesOf(broken())) expect(slice).toEqual([{ line: 1, text: 'a' }]);
  }).rejects.toThrow('cut');
});
