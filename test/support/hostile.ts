import type { Problem } from '../contracts/api.js';

/** A value that somebody may send in place of any other, as JSON text. */
export interface HostileValue {
  what: string;
  json: string;
  /** `refused`: with 400, everywhere; `unstorable`: as text that cannot be stored, except where it is kept; `taken`: whatever the field says. */
  expected: 'refused' | 'unstorable' | 'taken';
}

const NESTED = 150;

export const HOSTILE_VALUES: HostileValue[] = [
  { what: 'NUL', json: String.raw`"a\u0000b"`, expected: 'unstorable' },
  { what: 'half a surrogate pair', json: String.raw`"x\ud83d"`, expected: 'unstorable' },
  { what: 'the other half', json: String.raw`"\udc00x"`, expected: 'unstorable' },
  { what: 'NUL in a name', json: String.raw`{"a":{"b\u0000":1}}`, expected: 'unstorable' },
  { what: 'half a pair in a list', json: String.raw`[["\ud800"]]`, expected: 'unstorable' },
  { what: 'U+FFFF', json: String.raw`"\uffff"`, expected: 'taken' },
  { what: 'a long text', json: JSON.stringify('x'.repeat(100_000)), expected: 'taken' },
  { what: 'names that mean something in JavaScript', json: namesOf('toJSON', 'then', 'length', 'valueOf', 'toString'), expected: 'taken' },
  { what: 'names that objects inherit', json: namesOf('hasOwnProperty', 'isPrototypeOf', '__defineGetter__'), expected: 'taken' },
  { what: 'prototype keys', json: '{"__proto__":{"x":1}}', expected: 'refused' },
  { what: 'a number that is not exact', json: '9007199254740993', expected: 'refused' },
  { what: 'such a number deep inside', json: '{"a":[{"b":0.1234567890123456789}]}', expected: 'refused' },
  { what: 'deep nesting', json: '['.repeat(NESTED) + ']'.repeat(NESTED), expected: 'refused' },
  { what: 'deep objects', json: `${'{"a":'.repeat(NESTED)}1${'}'.repeat(NESTED)}`, expected: 'refused' },
];

function namesOf(...names: string[]): string {
  return `{${names.map((name) => `"${name}":1`).join(',')}}`;
}

/** Where a hostile value goes: the names and indexes that lead there (none: in place of all), and a whole input with everything else in place. */
export interface Spot {
  path: (string | number)[];
  input: unknown;
}

const HERE = '@here@';

export const WHOLE: Spot = { path: [], input: HERE };

/** An input in which HERE stands at the path; lists and objects on the way are made. */
export function spotAt(path: (string | number)[], input: Record<string, unknown>): Spot {
  const whole = structuredClone(input);
  let at: Record<string | number, unknown> = whole;
  path.slice(0, -1).forEach((name, index) => {
    const isList = typeof path[index + 1] === 'number';
    if (typeof at[name] !== 'object' || at[name] === null || Array.isArray(at[name]) !== isList) at[name] = isList ? [] : {};
    at = at[name] as Record<string | number, unknown>;
  });
  at[path.at(-1)!] = HERE;
  return { path, input: whole };
}

/** The JSON text of a spot's input with a value in its place. */
export function jsonWith({ input }: Spot, json: string): string {
  return JSON.stringify(input).replace(`"${HERE}"`, () => json);
}

/** What an answer says, whichever interface it came from. */
export interface Told {
  status: number;
  /** Undefined when it is no error. */
  problem?: Problem;
  text: string;
}

/** What is wrong with the answer to a hostile value; undefined when nothing is. @param kept such text is kept there, by a rule that is told */
export function faultOf(told: Told, { path }: Spot, { expected }: HostileValue, kept: boolean): string | undefined {
  if (told.status >= 500) return `answered ${told.status}: ${told.text.slice(0, 300)}`;
  if (told.status >= 400 && !isProblem(told)) return `answered ${told.status} in another shape: ${told.text.slice(0, 300)}`;
  if (expected === 'taken' || (expected === 'unstorable' && kept)) return undefined;
  if (told.status !== 400) return `answered ${told.status} instead of 400: ${told.text.slice(0, 300)}`;
  if (path.length === 0) return undefined;
  const named = told.problem!.details.errors.map((error) => error.path);
  const field = path.join('.');
  return named.some((each) => isWithin(field, each) || isWithin(each, field)) ? undefined : `names ${named.join(', ')} instead of ${field}`;
}

function isWithin(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`);
}

/** Whether an error has the one body of all of them. */
export function isProblem({ status, problem }: Told): boolean {
  const errors = problem?.details?.errors;
  return (
    problem?.statusCode === status &&
    typeof problem.message === 'string' &&
    problem.message !== '' &&
    Array.isArray(errors) &&
    errors.every(({ path, message, code }) => path !== '' && typeof path === 'string' && message !== '' && typeof code === 'string')
  );
}

/** Does some work for each of many, so many at a time. */
export async function forEach<T>(all: T[], atOnce: number, work: (each: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const each of left) await work(each);
    }),
  );
}
