import { invalidField } from '../../common/app-error.js';
import { cellReader } from '../csv/column-type.js';
import type { CsvRow } from '../csv/cut-rows.js';
import type { Rereadable } from '../csv/csv-rows.js';
import { type CsvTable, openTable, rowsBelow, type TableOptions } from '../csv/csv-table.js';
import { NoTable } from '../csv/find-layout.js';
import { kindOf, MAX_COLUMNS } from '../csv/table-survey.js';
import { type Fields, problemOfFields } from '../record-fields.js';
import { isReservedName } from '../record-filter.js';
import type { ParsedRow } from './line.js';

/**
 * Reads the rows of a CSV as records. It is read twice: first to learn how it is written and what types its columns have, then for its rows.
 * What was decided comes first, as warnings; a row that cannot be read is told in its place.
 * @throws AppError INVALID_INPUT when it is no table, has a column that no record may have, or lacks the one that is to be text
 */
export async function* parseCsv(read: Rereadable, options: TableOptions): AsyncGenerator<ParsedRow[]> {
  const table = await open(read, options);
  assertColumns(table, options.textColumn);
  yield [...table.warnings, ...remedies(table)].map((warning) => ({ warning }));
  const toRow = rowReader(table, options);
  for await (const rows of rowsBelow(read, table)) {
    yield rows.flatMap((row) => toRow(row) ?? []);
  }
}

async function open(read: Rereadable, options: TableOptions): Promise<CsvTable> {
  try {
    return await openTable(read, options);
  } catch (error) {
    if (error instanceof NoTable) throw invalidField('source', `the CSV cannot be read: ${error.message}`);
    throw error;
  }
}

function assertColumns({ columns, header }: CsvTable, textColumn: string | undefined): void {
  const names = columns.map(({ name }) => name);
  const reserved = names.find(isReservedName);
  if (reserved) throw invalidField('source', `line ${header?.line ?? 1}: ${reserved} cannot be the name of a column`);
  if (textColumn === undefined || names.includes(textColumn)) return;
  const some = names
    .slice(0, 10)
    .map((name) => name.slice(0, 50))
    .join(', ');
  throw invalidField('keyField', `the CSV has no column ${textColumn}; it has ${some}${names.length > 10 ? ' and more' : ''}`);
}

/** What can be done about columns that are text for the way their numbers are written. */
function remedies({ columns }: CsvTable): string[] {
  const numeric = columns.filter(({ found, isVerbatim }) => found.isNumeric && !isVerbatim);
  if (numeric.length === 0) return [];
  return [`cells=numbers reads ${numeric.length === 1 ? 'one column' : `${numeric.length} columns`} of text as numbers, by their value`];
}

/** Turns rows into records; undefined for those that count for nothing. */
function rowReader({ columns, shape, end }: CsvTable, { cells = 'auto' }: TableOptions): (row: CsvRow) => ParsedRow | undefined {
  const asIs = (cell: string): string => cell;
  const readers = columns.map(({ name, index, found, isVerbatim }) => ({
    name,
    index,
    read: cells === 'text' || isVerbatim ? asIs : cellReader(found),
  }));

  const toRecord = ({ line, cells, quoted }: CsvRow): ParsedRow => {
    const row: Fields = {};
    for (const { name, index, read } of readers) {
      const cell = cells[index];
      row[name] = cell === undefined ? null : read(cell, quoted?.[index] ?? false);
    }
    const problem = problemOfFields(row);
    return problem ? { line, problem } : { line, row, text: JSON.stringify(row) };
  };

  return (row) => {
    const { line } = row;
    if (line >= end) return undefined;
    const kind = kindOf(row, shape);
    switch (kind) {
      case 'empty':
      case 'comment':
        return undefined;
      case 'wrong':
        return { line, problem: row.problem! };
      case 'wide':
        return { line, problem: `the row has ${row.cells.length} cells; at most ${MAX_COLUMNS} are read` };
      case 'short':
      case 'long':
        if (shape.raggedRows === 'skip') return undefined;
        if (shape.raggedRows === 'refuse') return { line, problem: `the row has ${row.cells.length} cells and the header ${shape.named}` };
        return toRecord(row);
      case 'even':
        return toRecord(row);
    }
  };
}
