/** A date as it is written, and what day it is. */
export interface FoundDate {
  text: string;
  /** YYYY-MM-DD; null when day and month cannot be told apart, or when there is no such day. */
  iso: string | null;
  /** There is no such day: 31.02.2026. */
  impossible: boolean;
}

const MONTHS = [
  ['jan', 'january', 'januar'],
  ['feb', 'february', 'februar'],
  ['mar', 'march', 'märz', 'maerz'],
  ['apr', 'april'],
  ['may', 'mai'],
  ['jun', 'june', 'juni'],
  ['jul', 'july', 'juli'],
  ['aug', 'august'],
  ['sep', 'sept', 'september'],
  ['oct', 'october', 'okt', 'oktober'],
  ['nov', 'november'],
  ['dec', 'december', 'dez', 'dezember'],
];
const MONTH_NUMBERS = new Map(MONTHS.flatMap((names, index) => names.map((name) => [name, index + 1] as const)));
const MONTH = [...MONTH_NUMBERS.keys()].sort((a, b) => b.length - a.length).join('|');

const ISO = /\b(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)/g;
const DOTTED = /(?<![\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?!\.?\d)/g;
const SLASHED = /(?<![\d/])(\d{1,2})\/(\d{1,2})\/(\d{4})(?!\/?\d)/g;
const DAY_FIRST = new RegExp(`(?<!\\d)(\\d{1,2})(?:st|nd|rd|th|\\.)? (${MONTH})\\.?,? (\\d{4})(?!\\d)`, 'gi');
const MONTH_FIRST = new RegExp(`\\b(${MONTH})\\.? (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})(?!\\d)`, 'gi');

/** In the order of mention, each once. */
export function findDates(text: string): FoundDate[] {
  const found = [
    ...each(text, ISO, ([, year, month, day]) => of(year, month, day)),
    ...each(text, DOTTED, ([, day, month, year]) => of(year, month, day)),
    ...each(text, SLASHED, ([, first, second, year]) => ofSlashed(first!, second!, year!)),
    ...each(text, DAY_FIRST, ([, day, month, year]) => of(year, MONTH_NUMBERS.get(month!.toLowerCase()), day)),
    ...each(text, MONTH_FIRST, ([, month, day, year]) => of(year, MONTH_NUMBERS.get(month!.toLowerCase()), day)),
  ].sort((a, b) => a.at - b.at);
  return [...new Map(found.map(({ date }) => [date.text, date])).values()];
}

type Reading = Pick<FoundDate, 'iso' | 'impossible'>;

function each(text: string, pattern: RegExp, read: (match: RegExpMatchArray) => Reading): { at: number; date: FoundDate }[] {
  return [...text.matchAll(pattern)].map((match) => ({ at: match.index, date: { text: match[0], ...read(match) } }));
}

function of(year?: string, month?: string | number, day?: string): Reading {
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  const date = new Date(Date.UTC(y, m - 1, d));
  const exists = date.getUTCFullYear() === y && date.getUTCMonth() === m - 1 && date.getUTCDate() === d;
  return exists ? { iso: date.toISOString().slice(0, 10), impossible: false } : { iso: null, impossible: true };
}

/** 03/04/2026 is the third of April or the fourth of March: who knows. */
function ofSlashed(first: string, second: string, year: string): Reading {
  const [dayFirst, monthFirst] = [of(year, second, first), of(year, first, second)];
  if (dayFirst.impossible) return monthFirst;
  return monthFirst.impossible || first === second ? dayFirst : { iso: null, impossible: false };
}
