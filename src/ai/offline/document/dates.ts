import { ENGLISH_MONTH, MONTH, monthNumber } from './months.js';
import { hide, toPlainCharacters } from './plain-characters.js';

/** A date as it is written, and what day it is. */
export interface FoundDate {
  text: string;
  /** Where it begins. */
  at: number;
  /** YYYY-MM-DD; null when day and month cannot be told apart, or when there is no such day. */
  iso: string | null;
  /** There is no such day: 31.02.2026. */
  impossible: boolean;
  /** Why the day is not sure, or by what it was decided. */
  doubt?: string;
}

/** In a name of a month a dot or a comma may follow; between day and month the Romance languages say "de". */
const DAY_FIRST = new RegExp(
  `(?<![\\d.,])(\\d{1,2})(?:st|nd|rd|th|er|\\.|º)?(?: de| of)? (${MONTH})(?!\\p{L})\\.?,?(?: del?)? (\\d{4})(?!\\d)`,
  'giu',
);
const MONTH_FIRST = new RegExp(`(?<!\\p{L})(${ENGLISH_MONTH})\\.? (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})(?!\\d)`, 'giu');
const YEAR_FIRST = /(?<![\d./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d/-]|\.\d)|(?<!\d)(\d{4})年(\d{1,2})月(\d{1,2})日/g;
const DOTTED = /(?<![\d.])(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})(?!\.?\d)/g;
const SLASHED = /(?<![\d/-])(\d{1,2})([/-])(\d{1,2})\2(\d{4})(?![/-]?\d)/g;
/** With a year of two digits, which versions and telephone numbers may look like: these must be a day that there is. */
const SHORT = /(?<![\p{L}\d./-])(\d{1,2})([./])(\d{1,2})\2(\d{2})(?![\d/-]|\.\d)/gu;

/** In the order of mention, each once. */
export function findDates(text: string, now = new Date()): FoundDate[] {
  return [...new Map(allDates(text, now).map((date) => [date.text, date])).values()];
}

/** In the order of mention. @param now tells the century of a year with two digits */
export function allDates(text: string, now = new Date()): FoundDate[] {
  const plain = toPlainCharacters(text);
  const order = orderIn(plain);
  const century = (year: string): string => fullYear(year, now);
  const found = [
    ...each(plain, YEAR_FIRST, ([, y, mark, m, d, year = y, month = m, day = d]) => unlessVersion(of(year, month, day), mark)),
    ...each(plain, DOTTED, ([, day, month, year]) => of(year, month, day)),
    ...each(plain, SLASHED, ([, first, , second, year]) => ofUnclear(first!, second!, year!, order)),
    ...each(plain, SHORT, ([, first, mark, second, year]) =>
      ofShort({ first: first!, second: second!, year: century(year!), mark: mark! }, order),
    ),
    ...each(plain, DAY_FIRST, ([, day, month, year]) => of(year, monthNumber(month!), day)),
    ...each(plain, MONTH_FIRST, ([, month, day, year]) => of(year, monthNumber(month!), day)),
  ];
  // As it is written: the plain characters stand at the same places.
  return found.sort((a, b) => a.at - b.at).map((date) => ({ ...date, text: text.slice(date.at, date.at + date.text.length) }));
}

/** The text with its dates hidden: no part of one is taken for a number. */
export function hideDates(text: string): string {
  const dates = allDates(text).map(({ at, text: { length } }) => ({ at, length }));
  return hide(text, dates);
}

type Reading = Pick<FoundDate, 'iso' | 'impossible' | 'doubt'>;

function each(text: string, pattern: RegExp, read: (match: RegExpMatchArray) => Reading | undefined): FoundDate[] {
  return [...text.matchAll(pattern)].flatMap((match) => {
    const reading = read(match);
    return reading ? [{ text: match[0], at: match.index, ...reading }] : [];
  });
}

function of(year?: string, month?: string | number, day?: string): Reading {
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  const date = new Date(Date.UTC(y, m - 1, d));
  const exists = date.getUTCFullYear() === y && date.getUTCMonth() === m - 1 && date.getUTCDate() === d;
  return exists ? { iso: date.toISOString().slice(0, 10), impossible: false } : { iso: null, impossible: true };
}

/** Only with hyphens it calls itself a date: "2024.13.1" and "1234/56/78" are something else. */
function unlessVersion(reading: Reading, mark: string | undefined): Reading | undefined {
  return reading.impossible && mark !== '-' ? undefined : reading;
}

/** What the other dates of a document with slashes or hyphens say, as far as they agree: which comes first, and one that says so. */
type Order = { first: 'day' | 'month'; witness: string } | undefined;

function orderIn(text: string): Order {
  const orders = [...text.matchAll(SLASHED)].flatMap(([witness, first, , second]): NonNullable<Order>[] => {
    if (Number(first) > 12 && Number(second) <= 12) return [{ first: 'day', witness }];
    return Number(second) > 12 && Number(first) <= 12 ? [{ first: 'month', witness }] : [];
  });
  return orders.every(({ first }) => first === orders[0]!.first) ? orders[0] : undefined;
}

/** 03/04/2026 is the third of April or the fourth of March: who knows, unless the document's other dates tell. */
function ofUnclear(first: string, second: string, year: string, order: Order): Reading {
  const [dayFirst, monthFirst] = [of(year, second, first), of(year, first, second)];
  if (dayFirst.impossible) return monthFirst;
  if (monthFirst.impossible || first === second) return dayFirst;
  if (!order) return { iso: null, impossible: false, doubt: `${dayFirst.iso} or ${monthFirst.iso}? nothing else in the document tells` };
  const reading = order.first === 'day' ? dayFirst : monthFirst;
  return { ...reading, doubt: `read as ${reading.iso}, because ${order.witness} has the ${order.first} first` };
}

function ofShort(
  { first, second, year, mark }: { first: string; second: string; year: string; mark: string },
  order: Order,
): Reading | undefined {
  const reading = mark === '.' ? of(year, second, first) : ofUnclear(first, second, year, order);
  if (reading.impossible || (mark === '.' && (first.length < 2 || second.length < 2))) return undefined;
  return { ...reading, doubt: reading.doubt ?? `read as ${reading.iso}: its year has two digits` };
}

/** The year within ninety before and ten after this one. */
function fullYear(year: string, now: Date): string {
  const latest = now.getUTCFullYear() + 10;
  const full = Math.floor(latest / 100) * 100 + Number(year);
  return String(full > latest ? full - 100 : full);
}
