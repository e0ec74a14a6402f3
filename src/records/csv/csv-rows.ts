import type { TextCharset } from '../../common/text/charset.js';
import { decodeText } from '../../common/text/decode-text.js';
import { type CsvRow, type CsvSyntax, RowCutter } from './cut-rows.js';

/** Bytes that can be read more than once, from the beginning each time. */
export type Rereadable = () => AsyncIterable<Buffer>;

/** U+FFFD stands for bytes that are not of the charset; a NUL character is in no text. */
const DAMAGE = /[\0\ufffd]/;

/** The rows of a CSV from a line on, in slices of what one read brought. A row with bytes that are no text is wrong. */
export async function* csvRows(read: Rereadable, charset: TextCharset, syntax: CsvSyntax, firstLine: number): AsyncGenerator<CsvRow[]> {
  const cutter = new RowCutter(syntax, firstLine);
  const check = charset.isDamaged ? damageCheck(charset) : undefined;
  for await (const text of decodeText(read(), charset.charset)) {
    const rows = cutter.cut(text);
    check?.(rows, text);
    if (rows.length > 0) yield rows;
  }
  const last = cutter.end();
  check?.(last, '');
  if (last.length > 0) yield last;
}

/** Looks only at rows whose text was seen to be damaged. */
function damageCheck({ charset }: TextCharset): (rows: CsvRow[], text: string) => void {
  const notValid = `not valid ${charset === 'utf-8' ? 'UTF-8' : charset}`;
  /** The row under way may be, of which an earlier text brought the beginning. */
  let isBegunDamaged = false;
  return (rows, text) => {
    const isDamaged = DAMAGE.test(text);
    for (const row of isDamaged || isBegunDamaged ? rows : []) {
      const cell = row.problem === undefined ? row.cells.find((one) => DAMAGE.test(one)) : undefined;
      if (cell !== undefined) row.problem = cell.includes('\0') ? 'a text has NUL characters, which cannot be stored' : notValid;
    }
    isBegunDamaged = isDamaged || (isBegunDamaged && rows.length === 0);
  };
}
