import type { ColumnType } from '../contents/contents.js';
import { type DecimalMark, type NumberForms, numberForms, toNumber } from './numbers.js';

const BOOLEAN = /^(?:true|false|TRUE|FALSE|True|False)$/;
const ISO_DATE = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;
const WRITTEN_DATE = /^(?:0?[1-9]|[12]\d|3[01])([./])(?:0?[1-9]|[12]\d|3[01])\1\d{4}$/;

export const CELL_TYPES = ['auto', 'numbers', 'text'] as const;
/**
 * `auto`: a column gets the type that all of its cells have; what is in quotes is text, and so is a number that would lose a zero.
 * `numbers`: neither quotes, nor zeros behind, nor signs between groups of digits keep a column from being numbers. `text`: all is text.
 */
export type CellTypes = (typeof CELL_TYPES)[number];

/** Whether a number with this decimal mark, and no other, was seen. */
export type DecimalMarks = Record<DecimalMark, boolean>;

export interface FoundType {
  type: ColumnType;
  /** Of its numbers. */
  mark: DecimalMark;
  /** Why it is text although it holds numbers. */
  why?: string;
  /** It would be numbers if they counted by their value, see {@link CellTypes}. */
  isNumeric?: boolean;
}

interface Example {
  line: number;
  text: string;
}

/** Finds the one type that all of a column's cells have. Empty cells have every type. */
export class ColumnTypeFinder {
  private filled = 0;
  private numbers = 0;
  private quoted = 0;
  private isInteger = true;
  private isBoolean = true;
  private isDate = true;
  private readonly exact: DecimalMarks = { '.': true, ',': true };
  private readonly loose: DecimalMarks = { '.': true, ',': true };
  private readonly marks: DecimalMarks = { '.': false, ',': false };
  private noNumber?: Example;
  private inexact?: Example;
  private unsure?: Example;

  /** @param fileMarks of the numbers of all columns; this one adds its own */
  constructor(private readonly fileMarks: DecimalMarks) {}

  add(cell: string, isQuoted: boolean, line: number): void {
    const text = cell.trim();
    if (text === '') return;
    this.filled += 1;
    if (isQuoted) this.quoted += 1;
    const forms = numberForms(text);
    if (forms) this.addNumber(forms, { line, text });
    else {
      this.noNumber ??= { line, text };
      if (this.isBoolean) this.isBoolean = BOOLEAN.test(text);
      if (this.isDate) this.isDate = ISO_DATE.test(text) || WRITTEN_DATE.test(text);
    }
  }

  private addNumber(forms: NumberForms, example: Example): void {
    this.numbers += 1;
    this.isBoolean = false;
    this.isDate = false;
    if (forms.isInteger) return;
    this.isInteger = false;
    for (const mark of ['.', ','] as const) {
      this.exact[mark] &&= forms.exact[mark];
      this.loose[mark] &&= forms.loose[mark];
    }
    if (forms.isUnsure) this.unsure ??= example;
    if (!forms.exact['.'] && !forms.exact[',']) this.inexact ??= example;
    if (forms.mark) this.marks[forms.mark] = this.fileMarks[forms.mark] = true;
  }

  /** To be asked when all cells of all columns were added. */
  find(cells: CellTypes, delimiter: string): FoundType {
    if (this.filled === 0) return { type: 'empty', mark: '.' };
    if (cells === 'text') return asText();
    const found = this.findType(cells, delimiter);
    if (cells === 'numbers' || found.type !== 'text') return found;
    return { ...found, isNumeric: /^(?:integer|number)$/.test(this.findType('numbers', delimiter).type) };
  }

  private findType(cells: CellTypes, delimiter: string): FoundType {
    if (cells === 'auto' && this.quoted > 0) return asText(this.numbers === this.filled ? 'its numbers are in quotes' : undefined);
    if (this.isBoolean) return { type: 'boolean', mark: '.' };
    if (this.isDate) return { type: 'date', mark: '.' };
    if (this.noNumber) return asText(2 * this.numbers >= this.filled ? `${quote(this.noNumber)} is no plain number` : undefined);
    if (this.isInteger) return { type: 'integer', mark: '.' };
    return this.asNumber(cells, delimiter);
  }

  private asNumber(cells: CellTypes, delimiter: string): FoundType {
    const mark = this.decimalMark(delimiter);
    if (!mark) return asText(`${quote(this.unsure!)} may be a fraction, or a thousand and more`);
    if (cells === 'auto' ? this.exact[mark] : this.loose[mark]) return { type: 'number', mark };
    if (!this.loose[mark]) return asText('its numbers are written in several ways');
    return asText(`${quote(this.inexact ?? this.unsure!)} would change as a number`);
  }

  /** The mark of this column's numbers, or else of the other columns'; undefined when it is not sure. */
  private decimalMark(delimiter: string): DecimalMark | undefined {
    const { marks, fileMarks } = this;
    if (marks['.'] || marks[',']) {
      const own = marks['.'] ? '.' : ',';
      return this.unsure && fileMarks[own === '.' ? ',' : '.'] ? undefined : own;
    }
    if (!this.unsure) return '.';
    if (fileMarks['.'] !== fileMarks[',']) return fileMarks['.'] ? '.' : ',';
    return delimiter === ',' && !fileMarks[','] ? '.' : undefined;
  }
}

function asText(why?: string): FoundType {
  return { type: 'text', mark: '.', why };
}

const MAX_QUOTED = 40;

function quote({ line, text }: Example): string {
  return `${text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text} (line ${line})`;
}

/** How the cells of a column become values: null for an empty one, unless quotes say that it is the empty text. */
export function cellReader({ type, mark }: FoundType): (cell: string, isQuoted: boolean) => unknown {
  switch (type) {
    case 'integer':
    case 'number':
      return (cell) => numberOf(cell.trim(), mark);
    case 'boolean':
      return (cell) => {
        const text = cell.trim();
        return text === '' ? null : text.toLowerCase() === 'true';
      };
    default:
      return (cell, isQuoted) => (cell === '' && !isQuoted ? null : cell);
  }
}

function numberOf(text: string, mark: DecimalMark): number | null {
  if (text === '') return null;
  const plain = mark === '.' ? Number(text) : NaN;
  return Number.isNaN(plain) ? toNumber(text, mark) : plain;
}
