import type { FoundType } from './column-type.js';
import { shown } from './line-notes.js';

/** A column that is read. */
export interface TableColumn {
  name: string;
  /** Place of its cells in a row. */
  index: number;
  found: FoundType;
  /** Its cells stay as they are, whatever they hold. */
  isVerbatim: boolean;
}

/** What the columns of a table are made of. */
export interface ColumnsInput {
  /** Left out when no row names the columns. */
  header?: string[];
  /** Columns of the widest row. */
  count: number;
  typeOf: (index: number) => FoundType;
  /** A column whose cells stay text, whatever they hold. */
  textColumn?: string;
}

/**
 * Names the columns after the header row. One that has no name there is called by its number, or left out when it has no value either; one
 * whose name an earlier one has gets a number behind.
 */
export function toColumns({ header, count, typeOf, textColumn }: ColumnsInput): { columns: TableColumn[]; warnings: string[] } {
  const given = (header ?? []).map((name) => name.trim());
  const reserved = new Set(given);
  const places = new Map<string, number>();
  const columns: TableColumn[] = [];
  const warnings: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const own = given[index] ?? '';
    const found = typeOf(index);
    if (own === '' && header && found.type === 'empty') continue;
    const first = places.get(own);
    const isTaken = (name: string): boolean => places.has(name) || reserved.has(name);
    const name = own === '' ? freeName(`column ${index + 1}`, isTaken) : first === undefined ? own : freeName(own, isTaken);
    if (own === '' && header && index < header.length) warnings.push(`column ${index + 1} has no name and is called ${shown(name)}`);
    if (own !== '' && first !== undefined)
      warnings.push(`column ${index + 1} is called ${shown(name)}: column ${first} is ${shown(own)} too`);
    places.set(name, index + 1);
    const isVerbatim = name === textColumn;
    columns.push({ name, index, found: isVerbatim ? { type: 'text', mark: '.' } : found, isVerbatim });
  }
  return { columns, warnings };
}

/** The name, with the first number behind it that makes one which no column has. */
function freeName(name: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(name)) return name;
  let number = 2;
  while (isTaken(`${name} ${number}`)) number += 1;
  return `${name} ${number}`;
}
