import { parseRecordFilter } from '../../src/records/record-filter.js';

test('a value is equality; an object holds operators; a dot goes into a field', () => {
  expect(parseRecordFilter({ status: 'open', 'total.net': { gte: 10, lt: 20 }, 'a\\.b': null })).toEqual([
    { path: ['status'], operator: 'eq', value: 'open' },
    { path: ['total', 'net'], operator: 'gte', value: 10 },
    { path: ['total', 'net'], operator: 'lt', value: 20 },
    { path: ['a.b'], operator: 'eq', value: null },
  ]);
  expect(parseRecordFilter({})).toEqual([]);
});

test.each([
  ['[]', 'filter'],
  ['"status"', 'filter'],
  ['null', 'filter'],
  ['{"__proto__":{"admin":true}}', 'filter.__proto__'],
  ['{"constructor":1}', 'filter.constructor'],
  ['{"a.prototype.b":1}', 'filter.a.prototype.b'],
  ['{"a":{"__proto__":1}}', 'filter.a.__proto__'],
  ['{"a":{"eq":{"constructor":1}}}', 'filter.a.eq'],
  ['{"a":{"$gt":5}}', 'filter.a.$gt'],
  ['{"a":{"toString":5}}', 'filter.a.toString'],
  ['{"address":{"city":"Bern"}}', 'filter.address.city'],
  ['{"a":{}}', 'filter.a'],
  ['{"a":["x"]}', 'filter.a'],
  ['{"a":{"eq":["x"]}}', 'filter.a.eq'],
  ['{"a":{"gt":true}}', 'filter.a.gt'],
  ['{"a":{"gt":null}}', 'filter.a.gt'],
  ['{"a":{"in":"x"}}', 'filter.a.in'],
  ['{"a":{"in":[]}}', 'filter.a.in'],
  ['{"a":{"in":["x",{}]}}', 'filter.a.in.1'],
  ['{"a":{"exists":1}}', 'filter.a.exists'],
  ['{"a.b.c.d.e.f":1}', 'filter.a.b.c.d.e.f'],
  ['{"a..b":1}', 'filter.a..b'],
  ['{"":1}', 'filter.'],
  ['{"a":"\\u0000"}', 'filter.a'],
  ['{"a":"\\ud800"}', 'filter.a'],
  ['{"a\\u0000":1}', 'filter.a\0'],
])('%s is refused, and the wrong field is named', (json, path) => {
  const parse = () => parseRecordFilter(JSON.parse(json));
  expect(parse).toThrow(
    expect.objectContaining({ code: 'INVALID_INPUT', details: { errors: [expect.objectContaining({ path })] } }) as Error,
  );
});

test('a nested object is told how to be written', () => {
  expect(() => parseRecordFilter({ address: { city: 'Bern' } })).toThrow('a nested field is written "address.city"');
});

test('more than 50 conditions, 100 values or 10,000 characters are refused', () => {
  const wide = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`f${index}`, 1]));
  expect(() => parseRecordFilter(wide)).toThrow('at most 50');
  expect(() => parseRecordFilter({ a: { in: Array<number>(101).fill(1) } })).toThrow('1 to 100 values');
  expect(() => parseRecordFilter({ a: 'x'.repeat(10_001) })).toThrow('longer than 10000');
});
