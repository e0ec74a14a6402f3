import type { TextCharset } from '../../common/text/charset.js';
import { decodeText } from '../../common/text/decode-text.js';
import type { Rereadable } from './csv-rows.js';
import { MAX_ROW_CHARACTERS } from './cut-rows.js';

const SAMPLE_CHARACTERS = 65_536;
/** Of a table with very long rows more is taken, so that there are some. */
const MAX_SAMPLE_CHARACTERS = 2 * MAX_ROW_CHARACTERS;
const MIN_LINES = 3;
/** Excel's own way to tell the delimiter: sep=; */
const SEPARATOR_LINE = /^"?sep=([^\n\r"])"?[^\S\n\r]*(?:\r\n|\n|\r)/i;

/** The beginning of a CSV. */
export interface Sample {
  text: string;
  /** It is all of it. */
  isWhole: boolean;
  /** The line that its rows begin at. */
  firstLine: number;
  /** The delimiter that its first line tells, in the way of Excel. */
  separator?: string;
}

export async function takeSample(read: Rereadable, { charset }: TextCharset): Promise<Sample> {
  let text = '';
  for await (const piece of decodeText(read(), charset)) {
    text += piece;
    if (text.length < SAMPLE_CHARACTERS) continue;
    if (hasLines(text) || text.length >= MAX_SAMPLE_CHARACTERS) return toSample(text, false);
  }
  return toSample(text, true);
}

function toSample(text: string, isWhole: boolean): Sample {
  const separator = SEPARATOR_LINE.exec(text)?.[1];
  return { text, isWhole, firstLine: separator === undefined ? 1 : 2, separator };
}

function hasLines(text: string): boolean {
  const lineEnds = /[\n\r]+/g;
  let lines = 0;
  while (lines < MIN_LINES && lineEnds.exec(text)) lines += 1;
  return lines === MIN_LINES;
}
