import { Type } from 'class-transformer';
import { IsArray, IsInt, IsObject, IsOptional, IsString, Max, Min, ValidateNested } from 'class-validator';
import { checkInput } from '../../src/common/check-input.js';
import { Opaque } from '../../src/common/opaque.js';

class Inner {
  @IsOptional() @IsInt() @Min(1) @Max(9) count?: number;
  @IsOptional() @IsString() note?: string;
}

class Input {
  @IsString() name: string;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => Inner) inner?: Inner;
  @IsOptional() @IsArray() tags?: string[];
  @IsOptional() @IsObject() labels?: Record<string, unknown>;
  @IsOptional() @Opaque() free?: unknown;
}

const errorsOf = (plain: unknown, at?: string): unknown => {
  try {
    checkInput(Input, plain, at);
  } catch (error) {
    return (error as { details: { errors: unknown } }).details.errors;
  }
  return [];
};
const json = (text: string): unknown => JSON.parse(text);

test('what is right becomes an instance, and free values are the very same', () => {
  const free = { any: ['thing'] };
  const input = checkInput(Input, { name: 'a', inner: { count: 3 }, free });
  expect(input).toBeInstanceOf(Input);
  expect(input.inner).toBeInstanceOf(Inner);
  expect(input.free).toBe(free);
});

test('noncharacters, and names that mean something in JavaScript within free JSON, are data', () => {
  const labels = { toJSON: 1, then: 2, length: 3, valueOf: 4, toString: 5, hasOwnProperty: 6, '\uffff': '\ufffe' };
  expect(Object.entries(checkInput(Input, { name: '\uffff😀', labels: { a: [labels] } }).labels!.a as object)).toEqual([['0', labels]]);
  expect(checkInput(Input, { name: '\uffff😀', labels }).labels).toEqual(labels);
});

test('of a hundred thousand wrong fields a hundred are told', () => {
  const wrong = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`f${index}`, 1]));
  expect(errorsOf({ name: 'a', ...wrong })).toHaveLength(100);
  expect(() => checkInput(Input, { name: 'a', ...wrong })).toThrow(/^f0 is not a known field; .*; and 99990 more$/);
});

test('null is as if it were not given', () => {
  const input = checkInput(Input, { name: 'a', inner: null, free: null });
  expect(input.inner).toBeUndefined();
  expect(input.free).toBeUndefined();
  expect(errorsOf({ name: null })).toEqual([{ path: 'name', message: 'name must be a string', code: 'invalid_type' }]);
});

test.each<[unknown, string, string]>([
  [{}, 'name', 'invalid_type'],
  [{ name: 5 }, 'name', 'invalid_type'],
  [{ name: 'a', other: 1 }, 'other', 'unrecognized_keys'],
  [{ name: 'a', inner: { count: 0 } }, 'inner.count', 'too_small'],
  [{ name: 'a', inner: { count: 10 } }, 'inner.count', 'too_big'],
  [{ name: 'a', inner: { count: '5' } }, 'inner.count', 'invalid_type'],
  [{ name: 'a', inner: { more: 1 } }, 'inner.more', 'unrecognized_keys'],
  [{ name: 'a', inner: [] }, 'inner', 'invalid_type'],
  [{ name: 'a\0' }, 'name', 'custom'],
  [{ name: '\udc00x' }, 'name', 'custom'],
  [{ name: 'a', inner: { note: 'x\ud83d' } }, 'inner.note', 'custom'],
  [{ name: 'a', tags: ['b', '\0'] }, 'tags.1', 'custom'],
  [{ name: 'a', labels: { b: [{ '\ud800': 1 }] } }, 'labels.b.0.\ud800', 'custom'],
  [{ name: 'a', hasOwnProperty: 1 }, 'hasOwnProperty', 'unrecognized_keys'],
  [{ name: 'a', toString: 1 }, 'toString', 'unrecognized_keys'],
  [{ name: 'a', inner: { isPrototypeOf: 1 } }, 'inner.isPrototypeOf', 'unrecognized_keys'],
  [json('{"name":"a","__proto__":{"x":1}}'), '__proto__', 'unrecognized_keys'],
  [json('{"name":"a","inner":{"constructor":1}}'), 'inner.constructor', 'unrecognized_keys'],
  [{ name: json('['.repeat(50_000) + ']'.repeat(50_000)) }, 'body', 'too_big'],
  [null, 'body', 'invalid_type'],
  [[], 'body', 'invalid_type'],
  ['text', 'body', 'invalid_type'],
])('case %#: the wrong field is named', (plain, path, code) => {
  expect(errorsOf(plain)).toEqual([{ path, message: expect.any(String), code }]);
});

test('paths begin where they are told to', () => {
  expect(errorsOf({ inner: { count: 0 } }, 'parameters')).toMatchObject([{ path: 'parameters.name' }, { path: 'parameters.inner.count' }]);
  expect(errorsOf(5, 'parameters')).toMatchObject([{ path: 'parameters' }]);
});
