import { nonEmpty } from '../../common/non-empty.js';
import type { Rereadable } from '../csv/csv-rows.js';
import { openTable } from '../csv/csv-table.js';
import { NoTable } from '../csv/find-layout.js';
import { NO_DELIMITER } from '../csv/find-syntax.js';
import { type CsvContents, Excerpt, type ReadOptions, unreadable } from './contents.js';
import { unlessUtf8 } from './read-text.js';

const MAX_NAME = 200;

interface CsvReadOptions extends Required<ReadOptions> {
  /** Its name or type says that tabs part its cells. */
  isTabSeparated?: boolean;
}

/**
 * Reads CSV of any length in the way that an import does, see {@link openTable}. Its text has a line a row, with a tab between cells and
 * none in them.
 * @throws AppError UNPROCESSABLE when it is no table
 */
export async function readCsv(read: Rereadable, options: CsvReadOptions): Promise<CsvContents> {
  const excerpt = new Excerpt(options.maxTextCharacters);
  try {
    const table = await openTable(read, { expectedDelimiter: options.isTabSeparated ? '\t' : undefined }, (cells) =>
      excerpt.add(`${cells.map(toLine).join('\t')}\n`),
    );
    const { syntax, charset, rows, raggedRows, problem, warnings } = table;
    if (rows === 0 && problem !== undefined) throw new NoTable(`none of its rows can be read; ${problem}`);
    const columns = table.columns.map(({ name, found }) => ({ name: name.slice(0, MAX_NAME), type: found.type }));
    const delimiter = syntax.delimiter === NO_DELIMITER ? '' : syntax.delimiter;
    return {
      kind: 'csv',
      delimiter,
      charset: unlessUtf8(charset.charset),
      rows,
      raggedRows,
      columns,
      ...excerpt.toText(),
      warnings: nonEmpty(warnings),
    };
  } catch (error) {
    if (error instanceof NoTable) throw unreadable('CSV', error.message);
    throw error;
  }
}

/** A cell on one line: a table of lines is divided by its tabs and line ends. */
function toLine(cell: string): string {
  return /[\t\n\r]/.test(cell) ? cell.replace(/[\t\n\r]+/g, ' ') : cell;
}
