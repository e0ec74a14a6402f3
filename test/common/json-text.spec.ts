import { parseJson, sentenceOf } from '../../src/common/json-text.js';

const nested = (levels: number, open = '[', close = ']') => open.repeat(levels) + close.repeat(levels);

const errorsOf = (text: string) => {
  const parsed = parseJson(text);
  return 'errors' in parsed ? parsed.errors.map(({ path, code }) => [path, code]) : [];
};

test('a value comes out as JSON.parse makes it', () => {
  for (const text of ['{"a":[1,2.5,"x",null,true]}', '"text"', '7', ' [ ] ']) expect(parseJson(text)).toEqual({ value: JSON.parse(text) });
});

test.each([
  ['a list', nested(101), '0.0.0'],
  ['objects', `{"a":${nested(100, '{"b":', '}')}1`, 'a.b.b'],
  ['a list within an item', `{"items":[1,{"payload":${nested(98)}}]}`, 'items.1.payload'],
  ['brackets in texts beside it', `["[[[[","{\\"[",${nested(100)}]`, '2.0.0'],
  ['a megabyte of open brackets', '['.repeat(1_000_000), '0.0.0'],
  ['a megabyte of open braces', '{"a":'.repeat(200_000), 'a.a.a'],
])('more than a hundred levels are refused: %s', (_what, text, path) => {
  expect(errorsOf(text)).toEqual([[path, 'too_big']]);
});

test('a hundred levels are read, and brackets within texts are no levels', () => {
  expect(errorsOf(nested(100))).toEqual([]);
  expect(errorsOf(`["${'['.repeat(500)}","\\\\",["${'{"'.replaceAll('"', '\\"').repeat(500)}"]]`)).toEqual([]);
});

test('text that is no JSON is told, deep or not', () => {
  for (const text of ['', '{', '{"a":', '[1,]', '{"a":1}}', ']]]]', '{[}', '"x', '9007199254740993x', `{[${'"'.repeat(300)}`]) {
    expect(errorsOf(text)).toEqual([['', 'custom']]);
  }
});

test('the sentence about numbers names the field and what to do, and says how many more there are', () => {
  const parsed = parseJson(`{"id":731904562218870001,"b":1e400,"c":[${'9007199254740993,'.repeat(8)}1]}`);
  expect(sentenceOf('errors' in parsed ? parsed.errors : [])).toBe(
    'id: 731904562218870001 has more digits than a JSON number holds exactly; write it as text: "731904562218870001"; ' +
      'b: 1e400 is beyond what a JSON number holds; write it as text: "1e400"; ' +
      'c.0: 9007199254740993 has more digits than a JSON number holds exactly; write it as text: "9007199254740993"; and 7 more',
  );
});
