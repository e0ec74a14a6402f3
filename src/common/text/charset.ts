import iconv from 'iconv-lite';
import { invalidField } from '../app-error.js';
import type { ByteSurvey } from './byte-survey.js';
import { guessCharset } from './guess-charset.js';

export interface TextCharset {
  /** As the decoder knows it: "utf-8", "windows-1252". */
  charset: string;
  /** The text may have U+FFFD, which stands for bytes that are not of the charset, and NUL characters. */
  isDamaged: boolean;
  warnings: string[];
}

const BYTE_ORDER_MARKS: [mark: Buffer, charset: string][] = [
  [Buffer.from([0xff, 0xfe, 0, 0]), 'utf-32le'],
  [Buffer.from([0, 0, 0xfe, 0xff]), 'utf-32be'],
  [Buffer.from([0xef, 0xbb, 0xbf]), 'utf-8'],
  [Buffer.from([0xff, 0xfe]), 'utf-16le'],
  [Buffer.from([0xfe, 0xff]), 'utf-16be'],
];

/** The charset that the mark at the beginning tells. */
export function markedCharset(head: Buffer): string | undefined {
  return BYTE_ORDER_MARKS.find(([mark]) => head.subarray(0, mark.length).equals(mark))?.[1];
}

/**
 * The charset of a text: the declared one, else what its byte order mark or all of its bytes tell, else a guess with a warning.
 * @throws AppError INVALID_INPUT for a declared charset that is unknown or that the bytes cannot be of
 */
export function findCharset(survey: ByteSurvey, declared?: string): TextCharset {
  const text = declared === undefined ? undeclaredCharset(survey) : declaredCharset(survey, declared);
  const hasNuls = !isWide(text.charset) && survey.nuls[0] + survey.nuls[1] > 0;
  return hasNuls ? { ...text, isDamaged: true } : text;
}

function undeclaredCharset(survey: ByteSurvey): TextCharset {
  const marked = markedCharset(survey.head);
  if (marked) return found(marked, marked === 'utf-8' ? !survey.isUtf8 : survey.size % 2 === 1);
  const utf16 = utf16Of(survey);
  if (utf16) return found(utf16, survey.size % 2 === 1, [`read as ${utf16}, which every second byte tells; it has no byte order mark`]);
  // A text of another charset may by chance hold a pair of bytes that is right UTF-8, but not as often as not.
  if (survey.isUtf8 || survey.validSequences >= survey.invalidBytes) return found('utf-8', !survey.isUtf8);
  const charset = guessCharset(survey.sample);
  return found(charset, true, [`read as ${charset}, which is a guess: it is not UTF-8 and nothing tells its charset; ${REMEDY}`]);
}

const REMEDY = 'where letters are wrong, name the charset or save the file as UTF-8';

function found(charset: string, isDamaged: boolean, warnings: string[] = []): TextCharset {
  return { charset, isDamaged, warnings };
}

function declaredCharset(survey: ByteSurvey, declared: string): TextCharset {
  const marked = markedCharset(survey.head);
  const told = toCharset(declared);
  const charset = /^utf-?16$/i.test(declared.trim()) ? (marked ?? utf16Of(survey) ?? told) : told;
  const refuse = (why: string): Error => invalidField('charset', `the text is declared as ${declared}, but ${why}; name its real charset`);
  if (marked && marked !== charset) throw refuse(`begins with the byte order mark of ${marked}`);
  if (isWide(charset) && survey.size > 2 && survey.nuls[0] + survey.nuls[1] === 0) throw refuse('no byte of it is zero');
  if (!isWide(charset) && utf16Of(survey)) throw refuse(`every second byte is zero, as in ${utf16Of(survey)}`);
  if (/^(?:us-)?ascii$/i.test(declared.trim()) && survey.validSequences + survey.invalidBytes > 0) throw refuse('has bytes beyond ASCII');
  if (charset === 'utf-8') return found(charset, !survey.isUtf8);
  const isUtf8Too = !isWide(charset) && survey.isUtf8 && survey.validSequences > 0;
  return found(charset, true, isUtf8Too ? [`read as ${charset}, which is declared, though its bytes are right UTF-8 too; ${REMEDY}`] : []);
}

/** Whether a NUL byte is a part of characters. */
function isWide(charset: string): boolean {
  return /^utf-(?:16|32)/.test(charset);
}

/** These encode bytes, or are for mails: no text of a file is in them. */
const NO_CHARSETS = /^(?:hex|base64|binary|utf-?7|internal|cesu|replacement|x-user-defined)/i;

/** The decoder's name of a charset. @throws AppError INVALID_INPUT */
export function toCharset(name: string): string {
  const label = name.trim();
  // Browsers' names come first: they read "iso-8859-1" as its superset windows-1252, which is what nearly every such file is in.
  const known = [browserName(label), label].find((one) => one !== undefined && !NO_CHARSETS.test(one) && iconv.encodingExists(one));
  if (known) return known.toLowerCase();
  const some = 'utf-8, utf-16, windows-1252, iso-8859-1 to -16, shift_jis, gb18030, big5, euc-kr, koi8-r, macintosh, cp850';
  throw invalidField('charset', `"${label.slice(0, 50)}" is not a known charset; some that are: ${some}`, 'invalid_enum_value');
}

function browserName(label: string): string | undefined {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
}

/** Share of zero bytes in UTF-16 of any language: at least digits, delimiters and line ends have one each. */
const MIN_SHARE = 0.05;
/** The same where no line end speaks for it. */
const MIN_SHARE_OF_ONE_LINE = 0.2;

function utf16Of({ nuls: [even, odd], size, head }: ByteSurvey): string | undefined {
  if (even + odd < MIN_SHARE * size) return undefined;
  const isLittle = odd > 3 * even;
  if (!isLittle && even <= 3 * odd) return undefined;
  const isSure = even + odd >= MIN_SHARE_OF_ONE_LINE * size || endsLinesWide(head, isLittle);
  return isSure ? (isLittle ? 'utf-16le' : 'utf-16be') : undefined;
}

/** Whether most line feeds have a zero byte on the right side. */
function endsLinesWide(head: Buffer, isLittle: boolean): boolean {
  let [all, wide] = [0, 0];
  for (let at = head.indexOf('\n'); at !== -1; at = head.indexOf('\n', at + 1)) {
    all += 1;
    wide += Number(head[isLittle ? at + 1 : at - 1] === 0);
  }
  return all > 0 && 2 * wide >= all;
}
