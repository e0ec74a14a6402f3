import type { CsvRow } from './cut-rows.js';
import { csvRows, type Rereadable } from './csv-rows.js';
import { findLayout, type Layout, type LayoutOptions } from './find-layout.js';
import { type TableColumn, toColumns } from './table-columns.js';
import { TableSurvey } from './table-survey.js';
import { layoutWarnings, nameWarnings, rowWarnings, typeWarnings } from './table-warnings.js';

/** A CSV of which all rows were looked at, so that they can be read knowing what they hold. */
export interface CsvTable extends Layout {
  /** The line of what stands below it; Infinity when nothing does. */
  end: number;
  columns: TableColumn[];
  /** Rows that are read. */
  rows: number;
  /** Rows with fewer cells than the header, or with values beyond it. */
  raggedRows: number;
  /** What is wrong with the first row that cannot be read; undefined when all can. */
  problem?: string;
  /** What was decided while it was read, and what is odd in it. */
  warnings: string[];
}

export interface TableOptions extends LayoutOptions {
  /** A column whose cells stay text, whatever they hold. */
  textColumn?: string;
}

/**
 * Reads a CSV from end to end, to know of all of its rows: what types its columns have, where the table ends, what is odd in it.
 * @param onRow told the cells of all rows in their order, also of those above and below the table; short rows are filled up
 * @throws NoTable; AppError INVALID_INPUT for settings that contradict each other or the bytes
 */
export async function openTable(read: Rereadable, options: TableOptions, onRow?: (cells: string[]) => void): Promise<CsvTable> {
  const layout = await findLayout(read, options);
  const { syntax, header, shape } = layout;
  const survey = new TableSurvey(shape);
  layout.above.forEach(({ text }) => onRow?.([text]));
  if (header) onRow?.(header.cells);
  for await (const rows of rowsBelow(read, layout)) {
    for (const row of rows) {
      const isTaken = survey.add(row);
      onRow?.(isTaken ? filledUp(row.cells, shape.width) : row.cells);
    }
  }
  survey.finish();
  const { columns, warnings } = toColumns({
    header: header?.cells,
    count: Math.max(shape.width, survey.columns),
    typeOf: (index) => survey.typeOf(index, options.cells ?? 'auto', syntax.delimiter),
    textColumn: options.textColumn,
  });
  const { end, rows, notes, problem } = survey;
  return {
    ...layout,
    ...{ end, columns, rows, raggedRows: notes.short.count + notes.long.count, problem },
    warnings: [...layoutWarnings(layout), ...nameWarnings(warnings), ...rowWarnings(survey, shape), ...typeWarnings(columns)],
  };
}

function filledUp(cells: string[], width: number): string[] {
  return cells.length < width ? [...cells, ...Array<string>(width - cells.length).fill('')] : cells;
}

/** All rows below the header, whatever they hold. */
export async function* rowsBelow(read: Rereadable, { charset, syntax, header, firstLine }: Layout): AsyncGenerator<CsvRow[]> {
  let isFirst = header !== undefined;
  for await (const rows of csvRows(read, charset, syntax, firstLine)) {
    yield isFirst ? rows.slice(1) : rows;
    isFirst = false;
  }
}
