import fc from 'fast-check';
import { isTooDeep, toStorableJson, toStorableText, unsafeKey } from '../../src/common/safe-json.js';

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

test('NUL and half surrogates become U+FFFD, in keys too, and nothing else changes', () => {
  expect(toStorableJson({ 'a\0': ['b\0', '\ud800', { '\udc00': 1 }], fine: '😀 \\u0000 \\ud800' })).toBe(
    JSON.stringify({ 'a\uFFFD': ['b\uFFFD', '\uFFFD', { '\uFFFD': 1 }], fine: '😀 \\u0000 \\ud800' }),
  );
  expect(toStorableText('a\0\ud800😀')).toBe('a\uFFFD\uFFFD😀');
});

test('what JSON makes of a value stays so', () => {
  const date = new Date(0);
  expect(toStorableJson({ date, nul: '\0', undef: undefined, nan: Number.NaN, list: [undefined, () => 1] })).toBe(
    '{"date":"1970-01-01T00:00:00.000Z","nul":"\uFFFD","nan":null,"list":[null,null]}',
  );
  expect(toStorableJson(undefined)).toBeUndefined();
  expect(toStorableJson({ toJSON: () => '\0' })).toBe('"\uFFFD"');
});

test('every JSON value comes out as JSON that PostgreSQL takes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = toStorableJson(value)!;
      const strings: string[] = [];
      JSON.parse(text, (key, inner: unknown) => {
        strings.push(key);
        if (typeof inner === 'string') strings.push(inner);
        return inner;
      });
      for (const each of strings) {
        expect(each.isWellFormed()).toBe(true);
        expect(each).not.toContain('\0');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('more than a hundred levels are too deep, however many there are', () => {
  expect(isTooDeep(nested(100))).toBe(false);
  expect(isTooDeep(nested(101))).toBe(true);
  expect(isTooDeep(nested(500_000))).toBe(true);
  expect(isTooDeep('text')).toBe(false);
});
