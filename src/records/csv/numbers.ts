/** What parts a number's fraction: "1.5" or "1,5". */
export type DecimalMark = '.' | ',';

/** Digits that a JSON number keeps exactly. */
const MAX_DIGITS = 15;

const INTEGER = /^-?(?:0|[1-9]\d*)$/;
/** Nothing of them is lost in a number: there is no zero in front or behind. */
const EXACT = { '.': /^-?(?:0|[1-9]\d*)\.\d*[1-9]$/, ',': /^-?(?:0|[1-9]\d*),\d*[1-9]$/ };
/** As programs write very small and large numbers. Without the sign it may be the name of an article: 12E4. */
const SCIENTIFIC = /^-?[1-9](?:\.\d*[1-9])?[eE][+-]\d{1,3}$/;
/** Groups of three digits are parted by a blank of any width, an apostrophe, or the mark that does not part the fraction. */
const GROUPED = {
  '.': /^-?(?:0|[1-9]\d*|[1-9]\d{0,2}([,'’ \xa0\u2009\u202f])\d{3}(?:\1\d{3})*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/,
  ',': /^-?(?:0|[1-9]\d*|[1-9]\d{0,2}([.'’ \xa0\u2009\u202f])\d{3}(?:\1\d{3})*)(?:,\d+)?$/,
};
/** One and a quarter, or one thousand two hundred and fifty. */
const UNSURE = /^-?[1-9]\d{0,2}[.,]\d{3}$/;

/** How a cell can be read as a number. */
export interface NumberForms {
  isInteger: boolean;
  /** With this mark it is a number, and JSON would write it with the same digits. */
  exact: Record<DecimalMark, boolean>;
  /** With this mark it is a number; zeros behind or signs between groups of digits would be lost. */
  loose: Record<DecimalMark, boolean>;
  /** The one mark that it can have. */
  mark?: DecimalMark;
  /** It is a fraction or grouped digits, and does not tell which. */
  isUnsure: boolean;
}

const INTEGERS: NumberForms = { isInteger: true, exact: { '.': true, ',': true }, loose: { '.': true, ',': true }, isUnsure: false };

/** @returns undefined for what is no number, such as 007, +49, 5 EUR, or more digits than a number keeps */
export function numberForms(text: string): NumberForms | undefined {
  const first = text.charCodeAt(0);
  if (first !== 0x2d && (first < 0x30 || first > 0x39)) return undefined;
  if (text.length > MAX_DIGITS && digitsOf(text) > MAX_DIGITS) return undefined;
  if (INTEGER.test(text)) return text === '-0' ? undefined : INTEGERS;
  const loose = { '.': GROUPED['.'].test(text) && Number.isFinite(toNumber(text, '.')), ',': GROUPED[','].test(text) };
  if (!loose['.'] && !loose[',']) return undefined;
  const exact = { '.': EXACT['.'].test(text) || (SCIENTIFIC.test(text) && toNumber(text, '.') !== 0), ',': EXACT[','].test(text) };
  const mark = loose['.'] === loose[','] ? undefined : loose['.'] ? '.' : ',';
  return { isInteger: false, exact, loose, mark, isUnsure: UNSURE.test(text) };
}

/** The number that a text is with this mark. */
export function toNumber(text: string, mark: DecimalMark): number {
  if (mark === '.') return Number(text.replace(/[,'’ \xa0\u2009\u202f]/g, ''));
  return Number(text.replace(/[.'’ \xa0\u2009\u202f]/g, '').replace(',', '.'));
}

/** Whether a text is a number in any usual way of writing. */
export function looksLikeNumber(text: string): boolean {
  return numberForms(text.trim()) !== undefined;
}

function digitsOf(text: string): number {
  return text
    .replace(/[eE].*$/, '')
    .replace(/\D/g, '')
    .replace(/^0+/, '').length;
}
