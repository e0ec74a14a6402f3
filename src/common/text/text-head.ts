import { ByteSurvey } from './byte-survey.js';
import { findCharset } from './charset.js';
import { decode } from './decode-text.js';

/** Control characters that text of any charset has no use for. */
const NO_TEXT = /[^\P{Cc}\t\n\v\f\r\x80-\x9f]/gu;
/** DOS ends a file with it. */
const END_OF_FILE = '\x1a';
/** Share of them that UTF-8 may have: some programs part or pad cells with one. */
const MAX_SHARE = 0.1;

/**
 * The text that bytes from the beginning of a file are, without their byte order mark; they may end in the middle of a character.
 * @returns undefined when they are no text: it has NUL characters, many control characters, or any and is not UTF-8
 */
export function textHead(head: Buffer): string | undefined {
  const survey = new ByteSurvey();
  survey.add(head);
  const { charset } = findCharset(survey);
  const text = decode(head, charset);
  const odd = text.replaceAll(END_OF_FILE, '').match(NO_TEXT)?.length ?? 0;
  return text.includes('\0') || odd > (survey.isUtf8 ? MAX_SHARE * text.length : 0) ? undefined : text;
}
