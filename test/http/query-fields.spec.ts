import { checkInput } from '../../src/common/check-input.js';
import { QueryTime, toInstant } from '../../src/common/query-fields.js';

class Query {
  @QueryTime() at?: string;
}

test.each([
  ['2025-12-20', '2025-12-20T00:00:00.000Z'],
  ['2025-12-20T10:00:00.000Z', '2025-12-20T10:00:00.000Z'],
  ['2025-12-20T10:00:00', '2025-12-20T10:00:00.000Z'],
  ['2025-12-20T10:00', '2025-12-20T10:00:00.000Z'],
  ['2025-12-20T10:00:00+02:00', '2025-12-20T08:00:00.000Z'],
  ['2025-12-20T10:00:00 02:00', '2025-12-20T08:00:00.000Z'],
  ['2025-12-20T10:00:00-0530', '2025-12-20T15:30:00.000Z'],
])('%s is %s', (text, instant) => {
  expect(checkInput(Query, { at: text }).at).toBe(text);
  expect(toInstant(text)).toBe(instant);
});

test.each(['', 'now', '2025-13-01', '2025-02-30', '2025-W01', '2025-350', '1734688800', '2025-12-20T25:00', ['2025-12-20'], 5])(
  '%j is not a time',
  (text) => {
    expect(() => checkInput(Query, { at: text })).toThrow('at must be an ISO 8601 date or time');
  },
);
