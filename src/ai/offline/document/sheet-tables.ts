import type { SourceSheet } from '../../document/source-document.js';
import { type FoundTable, MAX_CELL, MAX_ROWS, MAX_TABLES } from './tables.js';

const MAX_COLUMNS = 100;

/** Tables of a workbook, and what is not told of them. */
export interface SheetTables {
  tables: FoundTable[];
  warnings: string[];
}

/** The tables of sheets: each block of rows between blank ones, under the first row that fills two cells or more. */
export function findSheetTables(sheets: SourceSheet[]): SheetTables {
  const found = sheets.flatMap(tablesOf);
  const tables = found.slice(0, MAX_TABLES);
  const warnings = tables.flatMap(({ name, columns, rowCount, isCut }) => [
    ...(columns.length > MAX_COLUMNS ? [`the table "${name}" has ${columns.length} columns; the first ${MAX_COLUMNS} are told`] : []),
    ...(isCut ? [`the table "${name}" has more than the ${rowCount} rows that are counted: its document is longer than what is read`] : []),
  ]);
  if (found.length > MAX_TABLES) warnings.push(`${found.length} tables were found; the first ${MAX_TABLES} are told`);
  return { tables: tables.map(toTable), warnings };
}

interface Block extends FoundTable {
  /** Whether it may go on after the last row that was read. */
  isCut: boolean;
}

function tablesOf({ name, rows, cells }: SourceSheet): Block[] {
  const isCut = rows > cells.filter((row) => row.length > 0).length;
  const tables: Block[] = [];
  let title = '';
  const blocks = blocksOf(cells);
  for (const [index, block] of blocks.entries()) {
    const head = block.findIndex((row) => filled(row) > 1);
    // A line alone above a table, or above the blank row before it, is its title.
    title =
      head === 0
        ? title
        : block
            .slice(0, head === -1 ? undefined : head)
            .at(-1)!
            .join('')
            .trim();
    if (head === -1) continue;
    const isLast = index === blocks.length - 1;
    const table = tableOf(block.slice(head), { name: title || name, isCut: isCut && isLast });
    if (table.rowCount > 0 || table.isCut || !table.columns.some(isNumber)) tables.push(table);
    title = '';
  }
  return tables;
}

function blocksOf(rows: string[][]): string[][][] {
  const blocks: string[][][] = [[]];
  for (const row of rows) {
    if (row.length > 0) blocks.at(-1)!.push(row);
    else blocks.push([]);
  }
  return blocks.filter((block) => block.length > 0);
}

function tableOf(block: string[][], { name, isCut }: Pick<Block, 'name' | 'isCut'>): Block {
  const first = Math.min(...block.map((row) => row.findIndex((cell) => cell !== '')));
  const width = Math.max(...block.map((row) => row.length)) - first;
  const [columns, ...rows] = block.map((row) => Array.from({ length: width }, (_, at) => row[first + at] ?? ''));
  return { name, columns: columns!, rows, rowCount: rows.length, isCut };
}

function toTable({ name, columns, rows, rowCount }: Block): FoundTable {
  const cut = (cells: string[]): string[] => cells.slice(0, MAX_COLUMNS).map((cell) => cell.trim().slice(0, MAX_CELL));
  return { name: name.slice(0, MAX_CELL), columns: cut(columns), rows: rows.slice(0, MAX_ROWS).map(cut), rowCount };
}

function filled(row: string[]): number {
  return row.filter((cell) => cell.trim() !== '').length;
}

function isNumber(text: string): boolean {
  return /^[+-]?[\d.,]+%?$/.test(text);
}
