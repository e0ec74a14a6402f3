import type { CsvSyntax } from './cut-rows.js';
import { DELIMITERS, judge, type Judged } from './judge-syntax.js';
import { looksLikeNumber } from './numbers.js';
import { isEmptyRow } from './row-looks.js';
import type { Sample } from './take-sample.js';

/** Stands for "nothing parts the lines": no text has it. */
export const NO_DELIMITER = '\x1f';
/** A table with this score or less is one by chance: prose has commas too. */
const MIN_SCORE = 0.15;
/** The same where the first line has no delimiter at all. */
const MIN_SCORE_BELOW_WHOLE_LINE = 0.3;

/** How a CSV is written, and how its beginning reads so. */
export type SampleTable = Pick<Judged, 'syntax' | 'rows' | 'width'>;

/**
 * Finds how a CSV is written: the delimiter with which most rows of the sample have the same number of cells, and cells that look like
 * such. A quote is ", or ' when cells are wrapped in that; quotes that are text are doubled, or stand behind a backslash.
 * @param given parts that are known; they are not looked for
 * @param expected the delimiter that the file's name or type speaks for
 */
export function findSyntax(sample: Sample, given: Partial<CsvSyntax>, expected?: string): SampleTable {
  const usual = bestOf(sample, { quote: '"', ...given }, expected);
  if ('quote' in given) return withBlanks(usual, sample);
  const found = withApostrophes(usual, sample, () => bestOf(sample, { ...given, quote: "'" }, expected));
  return withBlanks(withBackslashes(found, sample), sample);
}

function bestOf(sample: Sample, given: Partial<CsvSyntax>, expected = ','): Judged {
  if (given.delimiter !== undefined) return judge(sample, { ...given, delimiter: given.delimiter });
  const judged = [expected, ...DELIMITERS.filter((one) => one !== expected)].map((delimiter) => judge(sample, { ...given, delimiter }));
  const best = judged.reduce((one, other) => (other.score > one.score ? other : one));
  const beginsWhole = judged.every((one) => one.beginsWhole);
  const isByChance = best.score <= (beginsWhole ? MIN_SCORE_BELOW_WHOLE_LINE : MIN_SCORE) || (beginsWhole && hasDecimalCommas(best));
  if (!isByChance) return best;
  return beginsWhole && best.score > 0 ? judge(sample, { ...given, delimiter: NO_DELIMITER }) : judged[0]!;
}

/** Below a line of one cell, numbers with a comma are one cell too. */
function hasDecimalCommas({ syntax, rows }: Judged): boolean {
  const filled = rows.filter((row) => !isEmptyRow(row)).slice(1);
  return syntax.delimiter === ',' && filled.every(({ cells }) => looksLikeNumber(cells.join()));
}

/** A cell at the beginning of a line that is wrapped in apostrophes, or one behind another cell. */
const IN_APOSTROPHES = /(?:^|[,;\t|\n\r]) *'[^'\n\r]*'(?:[,;\t|\n\r]|$)/;

function withApostrophes(usual: Judged, { text }: Sample, judgeThem: () => Judged): Judged {
  if (usual.quoted > 0 || !IN_APOSTROPHES.test(text)) return usual;
  const other = judgeThem();
  const isBetter = other.quoted >= 2 && other.strays === 0 && 2 * other.quoted >= other.words && other.score >= usual.score;
  return isBetter ? other : usual;
}

/** A backslash before a quote belongs to it when rows can be read then that cannot be otherwise. */
function withBackslashes(found: Judged, sample: Sample): Judged {
  const { quote } = found.syntax;
  if (found.strays === 0 || quote === undefined || !sample.text.includes(`\\${quote}`)) return found;
  const other = judge(sample, { ...found.syntax, escape: '\\' });
  return other.strays < found.strays && other.score >= found.score ? other : found;
}

/** Rarer than those that are looked for, and rather seldom in text. */
const RARE_DELIMITERS = ['^', '~', '¦', '§', '\x01', '\x1e'];

/** What may part the cells of a table that seems to have one column: a sign that stands in all of its lines as often. */
export function rareDelimiter({ rows, width }: SampleTable): string | undefined {
  const lines = rows.flatMap(({ cells }) => (cells.length === 1 && cells[0]!.trim() !== '' ? cells : []));
  if (width > 1 || lines.length < 2) return undefined;
  const counts = (sign: string): Set<number> => new Set(lines.map((line) => line.split(sign).length));
  return RARE_DELIMITERS.find((sign) => lines[0]!.includes(sign) && counts(sign).size === 1);
}

/** In "a, b, c" the blanks belong to the commas, if it is so throughout. */
function withBlanks(found: Judged, sample: Sample): SampleTable {
  if (!/[,;|]/.test(found.syntax.delimiter)) return found;
  const plain = found.rows.flatMap(({ cells, quoted }) => cells.filter((cell, at) => at > 0 && cell !== '' && !quoted?.[at]));
  const hasBlanks = plain.length > 0 && plain.every((cell) => cell.startsWith(' '));
  return hasBlanks ? judge(sample, { ...found.syntax, hasBlanks }) : found;
}
