import { analyse } from 'chardet';
import iconv from 'iconv-lite';
import { SAMPLE_BYTES } from './byte-survey.js';

/** Charsets of before Unicode that files are found in, the likeliest first: of two that fit alike the first one is taken. */
const CANDIDATES = [
  ...['windows-1252', 'windows-1250', 'windows-1251', 'windows-1253', 'windows-1254', 'windows-1255', 'windows-1256', 'windows-1257'],
  ...['iso-8859-15', 'iso-8859-2', 'iso-8859-5', 'iso-8859-7', 'iso-8859-8', 'koi8-r', 'macintosh', 'cp850', 'cp866'],
  ...['shift_jis', 'euc-jp', 'euc-kr', 'gb18030', 'big5'],
];
/** Names of the detector for what is decoded by another table, which has more characters. */
const ALIASES = new Map([
  ['iso-8859-1', 'windows-1252'],
  ['iso-8859-9', 'windows-1254'],
]);

/** No text has them: bytes without a character, control characters, private use, and the half-width letters of wrongly read Shift_JIS. */
const IMPOSSIBLE = /[\ufffd\x80-\x9f\ue000-\uf8ff\uff61-\uff9f]/;
const SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Hebrew}/u,
  /\p{Script=Arabic}/u,
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}々ー]/u,
  /\p{Script=Hangul}/u,
];
const LATIN = SCRIPTS[0]!;
/** Signs that stand in tables and prose. */
const SIGN = /[€£¥§°«»„“”‘’‚–—…©®™²³½¼µ·¡¿ªº±×•、。「」\xa0]/;
/** Letters that hardly any language of Western Europe has, or has in this place: they are what others look like when read as windows-1252. */
const UNUSUAL = /^(?:[ðþýÐÞÝ]|[ìòù]\p{Letter}|õ[^e])/u;

/**
 * The charset of text that is not UTF-8, by statistics of letters (chardet) and by what words look like: a capital letter or a sign in
 * the middle of a word, or letters of two scripts, are read wrong. Short samples leave it a guess.
 * @param sample words that are not ASCII
 */
export function guessCharset(sample: Buffer): string {
  const confidence = new Map(
    analyse(sample).map(({ name, confidence }) => [ALIASES.get(name.toLowerCase()) ?? name.toLowerCase(), confidence]),
  );
  // The likeliest needs the less evidence the less there is.
  const bonus = 0.1 + 1 / sample.filter((byte) => byte > 0x7f).length;
  let best = { charset: '', text: '', score: -Infinity };
  for (const charset of CANDIDATES) {
    const text = withoutCut(iconv.decode(sample, charset), sample.length);
    if (text === best.text) continue;
    const score = plausibility(text) + 0.006 * (confidence.get(charset) ?? 0) + (charset === CANDIDATES[0] ? bonus : 0);
    if (score > best.score) best = { charset, text, score };
  }
  return best.charset;
}

/** A sample that is full may end in the middle of a character. */
function withoutCut(text: string, bytes: number): string {
  return bytes < SAMPLE_BYTES ? text : text.replace(/\ufffd\n$/, '');
}

/** From 1, every letter that is not ASCII stands where one may, down to -1; below that for bytes that cannot be of the charset. */
function plausibility(text: string): number {
  if (IMPOSSIBLE.test(text)) return -10;
  const letters = [...text];
  let sum = 0;
  let count = 0;
  letters.forEach((letter, at) => {
    if (letter <= '\x7f') return;
    count += 1;
    sum += fitOf(letter, letters[at - 1] ?? ' ', letters[at + 1] ?? ' ');
  });
  return count === 0 ? 0 : sum / count;
}

function fitOf(letter: string, before: string, after: string): number {
  const script = SCRIPTS.find((one) => one.test(letter));
  const neighbours = [before, after].filter((one) => SCRIPTS.some((other) => other.test(one)));
  if (!script) return letter === '’' && neighbours.length === 2 ? 1 : SIGN.test(letter) && neighbours.length < 2 ? 0.5 : -1;
  if (neighbours.some((one) => !script.test(one))) return -1;
  if (isCapital(letter) ? isSmall(before) : isSmall(letter) && isCapital(after)) return -1;
  if (neighbours.length === 0) return script === LATIN ? 0.3 : 0;
  if (script !== LATIN) return 1;
  if (neighbours.filter((one) => one > '\x7f').length === 2) return -1;
  return UNUSUAL.test(letter + after) ? 0.3 : 1;
}

function isCapital(letter: string): boolean {
  return letter !== letter.toLowerCase();
}

function isSmall(letter: string): boolean {
  return letter !== letter.toUpperCase();
}
