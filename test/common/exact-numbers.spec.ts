import fc from 'fast-check';
import { inexactNumbers, isExact } from '../../src/common/exact-numbers.js';

const found = (json: string) => inexactNumbers(json).map(({ path, text }) => [path.join('.'), text]);

test.each([
  '0',
  '-0',
  '0.0',
  '0e400',
  '7',
  '-12.5',
  '0.1',
  '1.10',
  '0.10000000000000001',
  '0.30000000000000004',
  '13.404953999999975',
  '1e5',
  '1e21',
  '1E+21',
  '1e23',
  '100000000000000000000',
  '1152921504606847000',
  '731904562218870000',
  '100000000000000000000000',
  '9007199254740991',
  '9007199254740992',
  '-9007199254740994',
  '1.7976931348623157e308',
  '5e-324',
  '1234567890123456.5e-10',
  '-1.2345678901234566E-7',
  '12345678901234566.0e-3',
  '2.5000000000000000000000000000',
  '123456789012345.0000000000',
  '0.000000000000000000000000000001',
  '0.1000000000000000055511151231257827021181583404541015625',
])('%s is exact', (written) => {
  expect(isExact(written)).toBe(true);
  expect(found(`[${written}]`)).toEqual([]);
});

test.each([
  '9007199254740993',
  '-9007199254740993',
  '731904562218870001',
  '1234567890123456789',
  '1152921504606846976',
  '100000000000000000000001',
  '1234567890123456.78',
  '12345678901234567890.0',
  '0.3333333333333333333',
  '0.1000000000000000055',
  '1.00000000000000000001',
  '9.007199254740993e15',
  '123456789012345678e-5',
  '1e400',
  '-1e309',
  '1e-400',
  '1.7e-323',
  `${'9'.repeat(400)}`,
  `0.${'1'.repeat(200)}`,
  `0.${'0'.repeat(400)}1`,
])('%s is not', (written) => {
  expect(isExact(written)).toBe(false);
  expect(found(`[${written}]`)).toEqual([['0', written]]);
});

test('each inexact number is found with its path, and none within texts and names', () => {
  const json = String.raw`{"id": 731904562218870001, "id text": "731904562218870001", "9007199254740993": "\"9007199254740993",
    "a\"b": [1, {"c": [0, 9007199254740993]}, "x", -9007199254740993], "n": {"m": {}, "k": [], "d": 1e400}, "end": 2}`;
  expect(found(json)).toEqual([
    ['id', '731904562218870001'],
    ['a"b.1.c.1', '9007199254740993'],
    ['a"b.3', '-9007199254740993'],
    ['n.d', '1e400'],
  ]);
});

test('whatever JavaScript writes itself is exact', () => {
  fc.assert(
    fc.property(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.maxSafeInteger()), (number) =>
      isExact(JSON.stringify(number)),
    ),
    { numRuns: 5_000 },
  );
});

test('a double that is printed with 17 digits in any form is exact below the safe numbers', () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 });
  fc.assert(
    fc.property(double, (number) => isExact(number.toExponential(16)) && isExact(number.toPrecision(17))),
    { numRuns: 5_000 },
  );
});

test('a number is exact when printing as many digits gives it back', () => {
  const decimal = fc.tuple(fc.bigInt({ min: 1n, max: 10n ** 25n }), fc.integer({ min: -40, max: 40 }));
  fc.assert(
    fc.property(decimal, ([digits, exponent]) => {
      const written = `${digits}e${exponent}`;
      const significant = String(digits).replace(/0+$/, '').length;
      const value = Number(written);
      const printed = value > Number.MAX_SAFE_INTEGER ? String(value) : value.toPrecision(significant);
      // Both as whole numbers of the smallest unit.
      const toUnits = (text: string): bigint => {
        const [mantissa, power = '0'] = text.split('e');
        const [whole, fraction = ''] = mantissa!.split('.');
        return BigInt(whole! + fraction) * 10n ** BigInt(Number(power) - fraction.length + 100);
      };
      return isExact(written) === (toUnits(printed) === toUnits(written));
    }),
    { numRuns: 5_000 },
  );
});

test('a megabyte of digits, or of numbers, is judged at once', () => {
  expect(found(`[${'1'.repeat(1_000_000)}]`)).toHaveLength(1);
  expect(found(`[0.${'0'.repeat(1_000_000)}1]`)).toHaveLength(1);
  expect(found(`[${'9007199254740993,'.repeat(50_000)}1]`)).toHaveLength(100);
});
