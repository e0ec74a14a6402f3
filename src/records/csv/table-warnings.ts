import type { Layout } from './find-layout.js';
import { NO_DELIMITER } from './find-syntax.js';
import { shown } from './line-notes.js';
import { looksLikeNames } from './row-looks.js';
import type { TableColumn } from './table-columns.js';
import { MAX_COLUMNS, type TableShape, type TableSurvey } from './table-survey.js';

/** Lines and columns that are told one by one; of those beyond them only the number is told. */
const MAX_TOLD = 10;

const WORDS = { comment: 'a comment', title: 'a title', empty: 'one without any value' };

/** What was decided on how the text is written, and where its table begins. */
export function layoutWarnings({ charset, syntax, hasSeparatorLine, rareDelimiter, above, header, isHeaderGiven }: Layout): string[] {
  const warnings = [...charset.warnings];
  const delimiter = shown(syntax.delimiter);
  if (hasSeparatorLine) warnings.push(`line 1 is no row: it says what parts the cells (${delimiter} does)`);
  else if (syntax.delimiter === '|') warnings.push(`${delimiter} parts the cells`);
  if (syntax.delimiter === NO_DELIMITER)
    warnings.push('each line is one cell, as no delimiter parts the lines evenly; name the delimiter if there is one');
  if (rareDelimiter) warnings.push(`each line has ${shown(rareDelimiter)} as often; name it as the delimiter if it parts the cells`);
  if (syntax.quote === "'") warnings.push('apostrophes are read as quotes');
  if (syntax.escape) warnings.push('a quote behind a backslash is text');
  if (syntax.hasBlanks) warnings.push(`the blank behind each ${delimiter} is no part of a cell`);
  warnings.push(
    ...firstOf(
      above.map(
        ({ line, kind, text }) =>
          `line ${line} is passed over as ${WORDS[kind]} above the table${kind === 'empty' ? '' : `: ${shown(text)}`}`,
      ),
      'lines above the table are passed over',
    ),
  );
  if (header && !isHeaderGiven && !looksLikeNames(header)) {
    warnings.push(
      `line ${header.line} is read as the names of the columns, though it has numbers or dates, like a row of values; name the header's line, or none`,
    );
  }
  return warnings;
}

/** What is odd in the rows, and what was done with it. */
export function rowWarnings({ rows, notes, problem, below, total }: TableSurvey, { raggedRows }: TableShape): string[] {
  const { short, long, wide, wrong, empty, comment, stray } = notes;
  const otherwise = raggedRows === 'skip' ? 'left out' : 'refused';
  const warnings: string[] = [];
  if (short.count > 0)
    warnings.push(`${short.text} with fewer cells than the header: ${raggedRows === 'pad' ? 'null fills them up' : otherwise}`);
  if (long.count > 0) {
    warnings.push(`${long.text} with values beyond the header: ${raggedRows === 'pad' ? 'these have columns of their own' : otherwise}`);
  }
  if (wide.count > 0) warnings.push(`${wide.text} with more than ${MAX_COLUMNS} cells: not read`);
  if (wrong.count > 0) warnings.push(`${wrong.text} that cannot be read; ${problem}`);
  if (empty.count > 0) warnings.push(`${empty.text} without any value: passed over`);
  if (comment.count > 0) warnings.push(`${comment.text} that are comments: passed over`);
  if (stray.count > 0) warnings.push(`${stray.text} with text behind a closing quote: read as it stands there, quotes and all`);
  const notesBelow = below.map(({ line, cells }) => `line ${line} is passed over as a note below the table: ${shown(cells.join(' '))}`);
  warnings.push(...firstOf(notesBelow, 'lines below the table are passed over'));
  if (total !== undefined) warnings.push(`line ${total} looks like a total of the rows above; it is read as a row`);
  if (rows === 0) warnings.push('there are no rows below the header');
  return warnings;
}

/** Which columns are not called as the header says. */
export function nameWarnings(sentences: string[]): string[] {
  return firstOf(sentences, 'columns have names that are there twice or not at all');
}

/** Which columns stay text although they hold numbers. */
export function typeWarnings(columns: TableColumn[]): string[] {
  const mixed = columns.filter(({ found }) => found.why !== undefined);
  return firstOf(
    mixed.map(({ name, found }) => `the column ${shown(name)} stays text: ${found.why}`),
    'columns with numbers stay text',
  );
}

function firstOf(sentences: string[], rest: string): string[] {
  const more = sentences.length - MAX_TOLD;
  return more > 0 ? [...sentences.slice(0, MAX_TOLD), `${more} more ${rest}`] : sentences;
}
