import type { NumberFormat } from './number-format.js';
import { showIsoDate } from './show-iso-date.js';
import { showNumber, toNumber } from './show-number.js';
import type { Oddity } from './workbook-warnings.js';
import { unescapeText } from './xml-text.js';

/** What the cells of a workbook refer to. */
export interface CellContext {
  sharedStrings: readonly string[];
  /** For each style, what its numbers stand for. */
  formats: readonly NumberFormat[];
  /** Whether days are counted from 1904. */
  from1904: boolean;
  /** Whether the stored results of formulas may be those of other values. */
  isOutdated: boolean;
}

/** A cell as the file has it. */
export interface RawCell {
  /** Its place: "C5". */
  at: string;
  type: string;
  style: string;
  /** Whether what it holds is described elsewhere: a picture, a share price. */
  isLinked: boolean;
  /** undefined without one; empty for a cell that shares the formula of another. */
  formula?: string;
  /** undefined without one, unlike an empty one. */
  value?: string;
}

type Note = (oddity: Oddity, at: string) => void;

const COUNT = /^\d{1,10}$/;

/** What a cell holds, as text: formatted text its letters, a date its ISO form, a formula its stored result; empty for an empty cell. */
export function readCell(cell: RawCell, context: CellContext, note: Note): string {
  const { at, formula, value = '', type } = cell;
  if (formula !== undefined && isUncalculated(cell)) {
    note('uncalculated', at);
    return `=${formula === '' ? '…' : unescapeText(formula)}`;
  }
  if (value === '') return '';
  if (formula !== undefined && context.isOutdated) note('outdated', at);
  switch (type) {
    case 's':
      return sharedText(cell, context, note);
    case 'b':
      return booleanText(value.trim());
    case 'd':
      return showIsoDate(value.trim());
    case 'e':
      note(cell.isLinked ? 'linked' : 'error', at);
      return value;
    case 'n':
      return numberText(cell, context, note);
    default:
      return unescapeText(value);
  }
}

/** The result of a formula may be an empty text, and then an empty value says so. */
function isUncalculated({ type, value }: RawCell): boolean {
  return value === undefined || (value === '' && type !== 'str' && type !== 'inlineStr');
}

function sharedText({ value = '', at }: RawCell, { sharedStrings }: CellContext, note: Note): string {
  const number = value.trim();
  const text = COUNT.test(number) ? sharedStrings[Number(number)] : undefined;
  if (text === undefined) note('missingText', at);
  return text ?? '';
}

function booleanText(value: string): string {
  if (value === '1') return 'true';
  return value === '0' ? 'false' : value.toLowerCase();
}

function numberText({ value = '', style, at }: RawCell, { formats, from1904 }: CellContext, note: Note): string {
  const written = value.trim();
  if (written === '') return '';
  const number = toNumber(written);
  if (number === undefined) {
    note('oddNumber', at);
    return unescapeText(written);
  }
  const format = COUNT.test(style) ? formats[Number(style)] : undefined;
  if (!format && style !== '0') note('missingFormat', at);
  return showNumber(written, number, format?.(number) ?? 'number', from1904);
}
