/** A decimal mark. */
export type Mark = '.' | ',';

/** Spaces that keep digits together, as word processors and formatters write them: no-break, narrow no-break, thin, figure and their like. */
export const FIRM_SPACES = '\u00a0\u202f\u2009\u2007\u2008\u200a\u205f';
export const APOSTROPHES = "'’ʼ";

/**
 * How a row of digits and separators can be read; texts are decimal numbers as JavaScript writes them. `proves` is the decimal mark
 * of whoever wrote it.
 */
export type Shape =
  | { kind: 'sure'; text: string; proves?: Mark }
  /** "1.250": a thousand and more, or one and a quarter. */
  | { kind: 'open'; mark: Mark; grouped: string; decimal: string }
  /** "1.23.4": no number. */
  | { kind: 'odd' };

const SPACED = new RegExp(`^(\\d{1,3}(?:[ ${FIRM_SPACES}]\\d{3})+|\\d{1,3}(?:[${APOSTROPHES}]\\d{3})+)(?:([.,])(\\d+))?$`);
const ODD: Shape = { kind: 'odd' };

/** @param digits begin and end with a digit; between them are digits, "." and ",", spaces or apostrophes */
export function shapeOf(digits: string): Shape {
  if (/^0\d/.test(digits)) return ODD;
  if (/[^\d.,]/.test(digits)) {
    const [, whole, mark, fraction] = SPACED.exec(digits) ?? [];
    return whole === undefined ? ODD : sure(whole, mark as Mark | undefined, fraction);
  }
  const marks = digits.match(/[.,]/g) as Mark[] | null;
  if (!marks) return sure(digits);
  const last = marks.at(-1)!;
  const cut = digits.lastIndexOf(last);
  const [whole, fraction] = [digits.slice(0, cut), digits.slice(cut + 1)];
  if (marks.some((mark) => mark !== last)) return isGrouped(whole, other(last)) ? sure(whole, last, fraction) : ODD;
  if (marks.length > 1) return isGrouped(digits, last) ? { ...sure(digits), proves: other(last) } : ODD;
  if (fraction.length !== 3 || whole.length > 3 || whole === '0') return sure(whole, last, fraction);
  return { kind: 'open', mark: last, grouped: `${whole}${fraction}`, decimal: `${whole}.${fraction}` };
}

export function other(mark: Mark): Mark {
  return mark === '.' ? ',' : '.';
}

function sure(whole: string, mark?: Mark, fraction?: string): Extract<Shape, { kind: 'sure' }> {
  const text = whole.replace(/\D/g, '');
  return { kind: 'sure', text: fraction === undefined ? text : `${text}.${fraction}`, proves: mark };
}

/** By threes, or as in India: 12,34,567. */
function isGrouped(whole: string, mark: Mark): boolean {
  const groups = whole.split(mark);
  const [first = '', last = ''] = [groups[0], groups.at(-1)];
  if (groups.length < 2 || first.length > 3 || last.length !== 3 || !groups.every((group) => /^\d+$/.test(group))) return false;
  const inner = groups.slice(1, -1);
  return inner.every((group) => group.length === 3) || (mark === ',' && first.length <= 2 && inner.every((group) => group.length === 2));
}
