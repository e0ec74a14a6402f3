import fc from 'fast-check';
import { isStorable, isTooDeep, toStorableJson, toStorableText, unsafeKey, unstorableTexts } from '../../src/common/safe-json.js';

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

test.each([
  ['{"__proto__":1}', '__proto__'],
  ['{"a":{"constructor":1}}', 'a.constructor'],
  ['{"a":[{"prototype":1}]}', 'a.0.prototype'],
  ['{"a":{"\\u005f_proto__":1}}', 'a.__proto__'],
  ['{"a":"__proto__","b":["constructor"]}', undefined],
  ['{"__proto":1,"proto":2}', undefined],
  ['[1,null,"x",true]', undefined],
])('the forbidden key of %s is %s', (text, path) => {
  expect(unsafeKey(JSON.parse(text))).toBe(path);
  expect(unsafeKey(JSON.parse(text), text)).toBe(path);
});

test('the quick look at the text never misses a key', () => {
  const key = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'prototype', 'a', '\\u'), fc.string());
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.array(fc.tuple(key, tie('tree')), { maxLength: 3 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));
  fc.assert(fc.property(tree, (value) => expect(unsafeKey(value, JSON.stringify(value))).toBe(unsafeKey(value))));
});

test('more than a hundred levels are too deep, however many there are', () => {
  expect(isTooDeep(nested(100))).toBe(false);
  expect(isTooDeep(nested(101))).toBe(true);
  expect(isTooDeep(nested(500_000))).toBe(true);
  expect(isTooDeep('text')).toBe(false);
});

test.each(['', 'text', '\uffff', '\ufffe', '\u{1ffff}', '😀', 'e\u0301', '\u0001\u001f\u007f\u200b\u202e'])(
  '%j is stored as it is',
  (text) => {
    expect(isStorable(text)).toBe(true);
    expect(toStorableText(text)).toBe(text);
  },
);

test.each([
  ['a\0b', 'a\uFFFDb'],
  ['\udc00x', '\uFFFDx'],
  ['x\ud83d', 'x\uFFFD'],
  ['\ude00\ud83d', '\uFFFD\uFFFD'],
])('%j cannot be stored, and becomes %j', (text, stored) => {
  expect(isStorable(text)).toBe(false);
  expect(toStorableText(text)).toBe(stored);
});

test('every text and name in a value that cannot be stored is found', () => {
  const value = { a: 'x', b: ['\0', { c: '\ud800' }], 'k\0': { d: '\0' }, n: 5, z: null };
  expect(unstorableTexts(value, 'body').map(({ path }) => path)).toEqual(['body.b.0', 'body.b.1.c', 'body.k\0']);
  expect(unstorableTexts('\0', 'name').map(({ path }) => path)).toEqual(['name']);
});

test('NUL and half surrogates become U+FFFD in JSON, in names too, and nothing else changes', () => {
  const value = { 'a\0': ['b\0', '\ud800', { '\udc00': 1 }], fine: '😀 \\u0000 \\ud800 "\\\\\0', toJSON: '\0' };
  const stored = { 'a\uFFFD': ['b\uFFFD', '\uFFFD', { '\uFFFD': 1 }], fine: '😀 \\u0000 \\ud800 "\\\\\uFFFD', toJSON: '\uFFFD' };
  expect(toStorableJson(value, 'output')).toBe(JSON.stringify(stored));
  expect(toStorableJson({ toJSON: () => '\0' }, 'output')).toBe('"\uFFFD"');
  expect(toStorableJson(undefined, 'output')).toBeUndefined();
});

test('every JSON value comes out as JSON that PostgreSQL takes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      expect(unstorableTexts(JSON.parse(toStorableJson(value, 'x')!), '')).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
