import { toStorableText } from '../../common/safe-json.js';

const ESCAPE = /_x([0-9A-Fa-f]{4})_/g;

/** A text as it was typed: the format writes characters that XML has no place for as `_x000D_`, and a literal `_x` as `_x005F_x`. */
export function unescapeText(text: string): string {
  const isEscaped = text.includes('_x');
  const plain = isEscaped ? text.replace(ESCAPE, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))) : text;
  const withLineEnds = plain.includes('\r') ? plain.replace(/\r\n?/g, '\n') : plain;
  return isEscaped ? toStorableText(withLineEnds) : withLineEnds;
}
