import { CURRENCY_PATTERN } from './currencies.js';
import { APOSTROPHES, FIRM_SPACES } from './numerals.js';

/** A sign or code of money, or a number that may be an amount. `at` and `end` are places in the text. */
export type MoneyToken = CurrencyToken | NumberToken;

export interface CurrencyToken {
  kind: 'currency';
  at: number;
  end: number;
  sign: string;
}

export interface NumberToken {
  kind: 'number';
  at: number;
  end: number;
  /** Digits and what is between them. */
  digits: string;
  digitsAt: number;
  negative: boolean;
  /** The mark of an amount without cents, as in "45,-". */
  isWhole?: string;
  /** Powers of ten of the word behind it: 6 for "1.5 million". */
  scale: number;
  /** Its groups are parted by plain spaces, which also part a number from the next. */
  isSpaced: boolean;
  /** Written as money is: "45.00", "45,-". */
  looksLikeMoney: boolean;
  isPercent: boolean;
  /** What makes it unsure by itself. */
  doubt?: string;
}

/** What stands together: a cell of a row, or a line. */
export interface Cell {
  at: number;
  tokens: MoneyToken[];
}

const GROUPED_BY = `(?:[${FIRM_SPACES}]\\d{3})+|(?: \\d{3})+`;
const DIGITS = `(?<![\\p{L}\\d.,])[.,]\\d+|\\d{1,3}(?:${GROUPED_BY})(?!\\d)(?:[.,]\\d+)*|\\d+(?:[.,${APOSTROPHES}]\\d+)*`;
const SCALES: [RegExp, number][] = [
  [/^(?:thousand|tausend|tsd\.?|k)$/i, 3],
  [/^lakhs?$/i, 5],
  [/^(?:millions?|millionen|millones|milioni|miljoen|mio\.?|mn|m)$/i, 6],
  [/^crores?$/i, 7],
  [/^(?:billions?|bn|b|milliarden?|milliards?|mrd\.?|miljard)$/i, 9],
];
/** One letter must stand at the number: "$5k", and not "$5 m wide". */
const SCALE =
  '(?:[kKMmB]|bn|mn)(?![\\p{L}\\d])| ?(?:thousand|tausend|Tsd\\.?|lakhs?|[mM]illions?|Millionen|millones|milioni|miljoen|Mio\\.?|mio\\.?|crores?|[bB]illions?|bn|Milliarden?|milliards?|Mrd\\.?|miljard)(?!\\p{L})';

const TOKEN = new RegExp(
  `(?<currency>${CURRENCY_PATTERN})|` +
    `(?<open>\\( ?)?(?<digits>${DIGITS})(?:(?<whole>[.,][-–—]{1,2}(?!\\d))|(?<minus>[-−](?![\\p{L}\\d(])))?(?<scale>${SCALE})?(?<percent>[ ${FIRM_SPACES}]?[%‰])?(?<close> ?\\))?`,
  'gu',
);

/** Cells are parted by tabs, bars, and two spaces or more, as the columns of a page are. */
const CELL = /(?:[^\n\r\t|\v\f\u2028\u2029 \u00a0\u202f\u2007\u2009]|[ \u00a0\u202f\u2007\u2009](?![ \u00a0\u202f\u2007\u2009]))+/g;

/** The tokens of a text, cell by cell. @param text in narrow characters, without what only looks like a number */
export function cellsOf(text: string): Cell[] {
  return [...text.matchAll(CELL)]
    .filter(([cell]) => /\d/.test(cell))
    .map(({ 0: cell, index }) => ({ at: index, tokens: tokensIn(cell, index) }))
    .filter(({ tokens }) => tokens.length > 0);
}

function tokensIn(cell: string, offset: number): MoneyToken[] {
  const tokens: MoneyToken[] = [];
  for (const match of cell.matchAll(TOKEN)) {
    const [at, end] = [match.index, match.index + match[0].length];
    const last = tokens.at(-1);
    const afterSign = last?.kind === 'currency' && last.end === offset + at;
    if (match.groups!.currency !== undefined) tokens.push({ kind: 'currency', at: offset + at, end: offset + end, sign: match[0] });
    else {
      const number = numberIn(cell, match, afterSign);
      if (number) tokens.push({ ...number, at: number.at + offset, digitsAt: number.digitsAt + offset, end: number.end + offset });
    }
  }
  return tokens;
}

type Groups = Record<'open' | 'digits' | 'whole' | 'minus' | 'scale' | 'percent' | 'close', string | undefined>;

function numberIn(cell: string, match: RegExpMatchArray, afterSign: boolean): NumberToken | undefined {
  const { open, digits = '', whole, minus, scale = '', percent, close } = match.groups as Groups;
  // Only a whole pair of parentheses belongs to the number, and only one of an amount: "(1)" counts the lines of a list.
  const inParentheses = open !== undefined && close !== undefined && !percent && (/[.,]\d{2,3}$/.test(digits) || afterSign);
  const at = match.index! + (open !== undefined && !inParentheses ? open.length : 0);
  const end = match.index! + match[0].length - (close !== undefined && !inParentheses ? close.length : 0);
  const sign = inParentheses ? { at, negative: true } : signBefore(cell, at, afterSign);
  const place = placeOf(cell, sign.at, afterSign);
  if (place === 'within' || /^[\p{L}\d_:]/u.test(follower(cell, end)) || (/^[mB]$/.test(scale) && !afterSign)) return undefined;
  return {
    kind: 'number',
    at: sign.at,
    end,
    digits,
    isWhole: whole?.[0],
    digitsAt: match.index! + (open?.length ?? 0),
    negative: sign.negative || minus !== undefined,
    scale: SCALES.find(([word]) => word.test(scale.trim()))?.[1] ?? 0,
    isSpaced: digits.includes(' '),
    looksLikeMoney: whole !== undefined || /[.,]\d{2}$/.test(digits),
    isPercent: percent !== undefined,
    doubt:
      doubtOf({ place, minus, digits, scale: afterSign ? '' : scale, twice: minus !== undefined && sign.negative }) ??
      doubtOfBreak(cell, { at: sign.at, end, digits }),
  };
}

/** Characters that are looked at beside a number; the longest sign of money is shorter. */
const LONGEST_SIGN = 12;

/** What stands behind a number and makes it something else: letters of a unit at it, a time's minutes. */
function follower(cell: string, end: number): string {
  const rest = cell.slice(end, end + LONGEST_SIGN);
  if (rest.startsWith(':')) return /^:\d/.test(rest) ? ':' : '';
  return STARTS_WITH_CURRENCY.test(rest) ? '' : rest;
}

const STARTS_WITH_CURRENCY = new RegExp(`^(?:${CURRENCY_PATTERN.replaceAll('(?<![\\p{L}_])', '')})`, 'u');

/** A hyphen is a sign where nothing stands in front of it; a true minus may have a space behind it. */
function signBefore(cell: string, at: number, afterSign: boolean): { at: number; negative: boolean } {
  const [, sign = ''] = /([-–−]|−[ \u00a0\u202f])$/.exec(cell.slice(Math.max(0, at - 2), at)) ?? [];
  if (sign === '' || afterSign) return { at, negative: false };
  const before = cell.slice(Math.max(0, at - sign.length - LONGEST_SIGN), at - sign.length);
  if (before !== '' && !/[\s(:=>"“„]$/u.test(before) && !ENDS_WITH_CURRENCY.test(before)) return { at, negative: false };
  return { at: at - sign.length, negative: true };
}

const ENDS_WITH_CURRENCY = new RegExp(`(?:${CURRENCY_PATTERN.replaceAll('(?![\\p{L}_])', '')})$`, 'u');

/** `within`: a part of a word, a number of a form like INV-45 or 3/4. `unclear`: right behind a comma, as in a row that commas divide. */
function placeOf(cell: string, at: number, afterSign: boolean): 'free' | 'within' | 'unclear' {
  if (at === 0 || afterSign) return 'free';
  const before = cell.slice(Math.max(0, at - LONGEST_SIGN), at);
  if (/[.,]$/.test(before) && !ENDS_WITH_CURRENCY.test(before)) return /[\p{L}\d"'][.,]$/u.test(before) ? 'unclear' : 'free';
  if (/\d[-–—]$/.test(before)) return 'free';
  if (ENDS_WITH_CURRENCY.test(before)) return 'free';
  return /[\p{L}\d_#/\\]$|[\p{L}\d_][-–—]$|\d:$/u.test(before) ? 'within' : 'free';
}

interface Signs {
  place: string;
  minus?: string;
  digits: string;
  scale: string;
  twice: boolean;
}

function doubtOf({ place, minus, digits, scale, twice }: Signs): string | undefined {
  if (place === 'unclear') return 'it stands right behind a comma or a point';
  if (twice) return 'it has a minus on both sides';
  if (minus !== undefined && !/[.,]\d{2}$/.test(digits)) return 'the hyphen behind it may be a minus or a dash';
  return scale.trim() === 'Billion' ? 'a billion has nine zeros in English and twelve in other languages' : undefined;
}

/** "118, 99 TL" and "$119. 95": a space within a number, or two numbers. */
function doubtOfBreak(cell: string, { at, end, digits }: { at: number; end: number; digits: string }): string | undefined {
  const goesOn = /^\d+$/.test(digits) && BREAK_BEHIND.test(cell.slice(end, end + LONGEST_SIGN));
  const began = /^\d{2}$/.test(digits) && /\d[.,] $/.test(cell.slice(Math.max(0, at - 3), at));
  return goesOn || began ? 'a space within it, or two numbers?' : undefined;
}

const BREAK_BEHIND = /^[.,] \d{2}\s*$/;
