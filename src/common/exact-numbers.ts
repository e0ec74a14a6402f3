import { JsonScan, type WrittenNumber } from './json-scan.js';

/** A number that would become another one in JavaScript, and the names of the fields that lead to it. */
export interface InexactNumber extends WrittenNumber {
  path: string[];
}

/**
 * A number that a double does not hold exactly has sixteen digits, of which eight stand together, or an exponent of three. Written out,
 * because V8 looks for eight digits in 30 ns where it needs 180 for \d{8}.
 */
const MANY_DIGITS = /\d\d\d\d\d\d\d\d/;
const LARGE_EXPONENT = /\d[eE][-+]?\d{3}/;
/** Texts that look so are found too. */
const SUSPECTS = /\d[\d.]{15,}(?:[eE][-+]?\d+)?|\d[\d.]{0,15}[eE][-+]?\d{3,}/g;
const NONE: readonly InexactNumber[] = [];
const SAFE_DIGITS = 15;
const SMALLEST_NORMAL = 2.2250738585072014e-308;
/** Most digits that JavaScript prints of a number. */
const MAX_PRINTED = 100;
const MAX_SHOWN = 50;
const MAX_FOUND = 100;

/** @returns the first hundred numbers in JSON text that a double does not hold exactly: 9007199254740993, 1234567890123456.78 and 1e400, not 0.1 */
export function inexactNumbers(json: string): readonly InexactNumber[] {
  if (!MANY_DIGITS.test(json) && !LARGE_EXPONENT.test(json)) return NONE;
  if ((json.match(SUSPECTS) ?? []).every(isExact)) return NONE;
  const found: InexactNumber[] = [];
  const scan = new JsonScan(json);
  for (const number of scan.numbers()) {
    if (!isExact(number.text)) found.push({ ...number, path: scan.path });
    if (found.length === MAX_FOUND) break;
  }
  return found;
}

/**
 * Whether a double that is printed with as many digits as were written, zeros at the ends aside, is the number that was written. So are
 * 0.1, all with 15 digits, and all that JavaScript writes itself. Of numbers beyond the safe ones it is not enough that a double holds
 * them: the 60th power of two comes out as 1152921504606847000.
 */
export function isExact(written: string): boolean {
  const value = Number(written);
  if (String(value) === written) return true;
  if (!Number.isFinite(value)) return false;
  const { digits, exponent } = decimalOf(written);
  if (digits.length <= SAFE_DIGITS && Math.abs(value) >= SMALLEST_NORMAL) return true;
  if (value === 0 || digits === '' || digits.length > MAX_PRINTED) return digits === '';
  const printed = decimalOf(Math.abs(value) > Number.MAX_SAFE_INTEGER ? String(value) : value.toPrecision(digits.length));
  return printed.digits === digits && printed.exponent === exponent;
}

/** What is wrong with a number that is not exact, and what to do. */
export function inexactSentence({ text }: WrittenNumber): string {
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  const isDigits = decimalOf(text).digits.length > SAFE_DIGITS;
  const why = isDigits ? 'has more digits than a JSON number holds exactly' : 'is beyond what a JSON number holds';
  return `${shown} ${why}; write it as text: "${shown}"`;
}

/** A number as 0.digits times ten to the exponent, without its sign and without zeros at the ends of its digits. */
function decimalOf(written: string): { digits: string; exponent: number } {
  const [mantissa = '', exponent = '0'] = written.replace(/^-/, '').toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = whole + fraction;
  const first = all.search(/[1-9]/);
  if (first === -1) return { digits: '', exponent: 0 };
  let end = all.length;
  while (all[end - 1] === '0') end -= 1;
  return { digits: all.slice(first, end), exponent: whole.length + Number(exponent) - first };
}
