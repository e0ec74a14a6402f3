import { nonEmpty } from '../../common/non-empty.js';
import { ByteSurvey } from '../../common/text/byte-survey.js';
import { findCharset } from '../../common/text/charset.js';
import { decodeText } from '../../common/text/decode-text.js';
import type { Rereadable } from '../csv/csv-rows.js';
import { Excerpt, type ReadOptions, type TextContents } from './contents.js';

/** Reads text of any length, twice: to find its charset, and for what it says. */
export async function readText(read: Rereadable, options: Required<ReadOptions>): Promise<TextContents> {
  const { charset, isDamaged, warnings } = findCharset(await ByteSurvey.of(read()));
  const excerpt = new Excerpt(options.maxTextCharacters);
  let lines = 0;
  let last = '\n';
  let damaged = 0;
  for await (const text of decodeText(read(), charset)) {
    excerpt.add(text);
    lines += countOf(/\r\n|[\n\r]/g, text) - Number(last === '\r' && text.startsWith('\n'));
    if (isDamaged) damaged += countOf(/\ufffd/g, text);
    last = text.at(-1) ?? last;
  }
  if (damaged > 0) warnings.push(`${damaged} ${damaged === 1 ? 'character is' : 'characters are'} not valid ${charset}`);
  return {
    kind: 'text',
    charset: unlessUtf8(charset),
    lines: /[\n\r]/.test(last) ? lines : lines + 1,
    ...excerpt.toText(),
    warnings: nonEmpty(warnings),
  };
}

function countOf(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0;
}

/** UTF-8 goes without saying. */
export function unlessUtf8(charset: string): string | undefined {
  return charset === 'utf-8' ? undefined : charset;
}
