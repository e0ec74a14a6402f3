export interface FoundTable {
  /** The line above it, when it looks like a heading; else empty. */
  name: string;
  columns: string[];
  /** The first 50. */
  rows: string[][];
  rowCount: number;
}

export const MAX_TABLES = 10;
export const MAX_ROWS = 50;
const MAX_COLUMNS = 30;
export const MAX_CELL = 200;

/** How cells may be divided, and with how many columns a line is taken for a row: commas stand in prose too. */
const DIVIDERS = [
  { divider: '|', minColumns: 2 },
  { divider: '\t', minColumns: 2 },
  { divider: ';', minColumns: 3 },
  { divider: ',', minColumns: 3 },
];
const RULE = /^[\s|:+-]+$/;

/** Lines that stand below each other and are divided alike into as many cells: the first one names the columns. */
export function findTables(text: string): FoundTable[] {
  const lines = text.split('\n');
  const tables: FoundTable[] = [];
  for (let at = 0; at < lines.length && tables.length < MAX_TABLES;) {
    const found = tableAt(lines, at);
    if (found) tables.push(found.table);
    at += found?.lines ?? 1;
  }
  return tables;
}

function tableAt(lines: string[], at: number): { table: FoundTable; lines: number } | undefined {
  if (lines[at]!.trim() === '') return undefined;
  for (const { divider, minColumns } of DIVIDERS) {
    const columns = cellsOf(lines[at]!, divider);
    if (columns.length < minColumns || columns.length > MAX_COLUMNS || !areNames(columns, divider)) continue;
    const rows: string[][] = [];
    let next = at + 1;
    for (; next < lines.length && lines[next]!.trim() !== ''; next += 1) {
      if (RULE.test(lines[next]!)) continue;
      const cells = cellsOf(lines[next]!, divider);
      if (cells.length !== columns.length) break;
      rows.push(cells);
    }
    if (rows.length < 2) continue;
    return { table: { name: headingOf(lines[at - 1]), columns, rows: rows.slice(0, MAX_ROWS), rowCount: rows.length }, lines: next - at };
  }
  return undefined;
}

/** A column need not have a name in a table that was made by a program, and tabs are hardly ever typed. */
function areNames(columns: string[], divider: string): boolean {
  return divider === '\t' ? columns.filter((name) => name !== '').length > 1 : columns.every((name) => name !== '');
}

/** Tabs at the ends of a line stand beside empty cells; spaces stand beside nothing. */
function cellsOf(line: string, divider: string): string[] {
  const row = divider === '\t' ? line : line.trim().replace(/^\||\|$/g, '');
  return row.split(divider).map((cell) => cell.trim().slice(0, MAX_CELL));
}

function headingOf(line = ''): string {
  const heading = line
    .slice(0, 200)
    .replace(/^#+\s*|:\s*$/g, '')
    .trim();
  return heading.length <= 80 ? heading : '';
}
