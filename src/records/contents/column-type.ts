import type { ColumnType } from './contents.js';

/** No leading zero (a postal code), no plus (a phone number), and not so long that it is rather an identifier. */
const INTEGER = /^-?(?:0|[1-9]\d{0,14})$/;
/** With a decimal point or a decimal comma. */
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?$/;
const BOOLEAN = /^(?:true|false)$/i;
const ISO_DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;
const WRITTEN_DATE = /^(?:0?[1-9]|[12]\d|3[01])([./])(?:0?[1-9]|[12]\d|3[01])\1\d{4}$/;

/** Finds the narrowest type that all of a column's cells have; empty cells have every type. */
export class ColumnTypeFinder {
  private found: ColumnType = 'empty';

  get type(): ColumnType {
    return this.found;
  }

  add(cell: string): void {
    if (this.found === 'text') return;
    const text = cell.trim();
    if (text !== '') this.found = joined(this.found, typeOf(text));
  }
}

function typeOf(text: string): ColumnType {
  if (INTEGER.test(text)) return 'integer';
  if (NUMBER.test(text)) return 'number';
  if (BOOLEAN.test(text)) return 'boolean';
  return ISO_DATE.test(text) || WRITTEN_DATE.test(text) ? 'date' : 'text';
}

function joined(one: ColumnType, other: ColumnType): ColumnType {
  if (one === 'empty' || one === other) return other;
  const isNumeric = (type: ColumnType): boolean => type === 'integer' || type === 'number';
  return isNumeric(one) && isNumeric(other) ? 'number' : 'text';
}
