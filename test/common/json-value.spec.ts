import fc from 'fast-check';
import { problemOfJson, toJson } from '../../src/common/json-value.js';

const circle: Record<string, unknown> = { a: { b: [] } };
(circle.a as { b: unknown[] }).b.push(circle);
const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
const failing = {
  toJSON() {
    throw new Error('no');
  },
};
class Point {
  x = 1;
  private readonly y = 2;
  sum = undefined;
  length(): number {
    return this.x + this.y;
  }
}

test.each<[string, unknown, string, RegExp]>([
  ['NaN', { total: Number.NaN }, 'output.total', /NaN/],
  ['Infinity', { a: [1, -Infinity] }, 'output.a.1', /-Infinity/],
  ['a BigInt', { ids: [{ id: 9007199254740993n }] }, 'output.ids.0.id', /BigInt.*"9007199254740993"/],
  ['a symbol', { a: Symbol('x') }, 'output.a', /symbol/],
  ['a function', { a: { b: () => 1 } }, 'output.a.b', /function/],
  ['a Map', { rows: new Map([['a', 1]]) }, 'output.rows', /a Map/],
  ['a Set', [new Set([1])], 'output.0', /a Set/],
  ['a promise', { value: Promise.resolve(1) }, 'output.value', /a Promise/],
  ['an error', { error: Object.assign(new TypeError('gone'), { code: 'X' }) }, 'output.error', /a TypeError/],
  ['a regular expression', { a: /x/ }, 'output.a', /a RegExp/],
  ['search parameters', { a: new URLSearchParams('a=1') }, 'output.a', /a URLSearchParams/],
  ['numbers in a typed array', { a: new Float32Array([1]) }, 'output.a', /a Float32Array/],
  ['an invalid date', { at: new Date('never') }, 'output.at', /invalid date/],
  ['undefined within a list', { a: [1, undefined] }, 'output.a.1', /undefined/],
  ['a hole in a list', { a: Array(2) }, 'output.a.0', /undefined/],
  ['a circle', circle, 'output.a.b.0', /circular/],
  ['a toJSON that throws', { a: failing }, 'output.a', /toJSON that fails: no/],
  ['a toJSON that gives NaN', { a: { toJSON: () => ({ b: Number.NaN }) } }, 'output.a.b', /NaN/],
  [
    'a getter that throws',
    Object.defineProperty({}, 'a', { enumerable: true, get: () => failing.toJSON() }),
    'output',
    /cannot be read: no/,
  ],
  ['more than a hundred levels', nested(101), 'output.0.0.0.0.0.0.0.0.0.0', /100 levels/],
  ['half a million levels', nested(500_000), 'output.0.0.0.0.0.0.0.0.0.0', /100 levels/],
])('%s is refused by the name of its field', (_what, value, path, message) => {
  expect(problemOfJson(value, 'output')).toEqual({ path, message: expect.stringMatching(message), code: 'custom' });
  expect(() => toJson(value, 'output')).toThrow(path);
});

test.each<[string, unknown, string | undefined]>([
  ['undefined', undefined, undefined],
  ['a field that is undefined', { a: undefined, b: 1 }, '{"b":1}'],
  ['a date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['an address', { at: new URL('http://a/b') }, '{"at":"http://a/b"}'],
  ['an instance of a class', new Point(), '{"x":1,"y":2}'],
  ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
  ['an empty object', { a: {}, b: [] }, '{"a":{},"b":[]}'],
  ['what tells its JSON by itself', { a: { toJSON: () => [1, 'x'] } }, '{"a":[1,"x"]}'],
  ['the same object twice', [new Point(), new Point()], '[{"x":1,"y":2},{"x":1,"y":2}]'],
  ['names that mean something in JavaScript', { toJSON: 1, then: 2, length: 3, valueOf: 4, toString: 5, hasOwnProperty: 6 }, undefined],
  ['a hundred levels', nested(100), undefined],
])('%s is what JSON makes of it', (_what, value, text) => {
  expect(problemOfJson(value, 'output')).toBeUndefined();
  expect(toJson(value, 'output')).toBe(text ?? JSON.stringify(value));
});

test('every JSON value is its own text', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => toJson(value, 'x') === JSON.stringify(value)));
});
