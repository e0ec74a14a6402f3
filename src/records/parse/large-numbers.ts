import { isExact } from '../../common/exact-numbers.js';
import { JsonScan } from '../../common/json-scan.js';

export const LARGE_NUMBERS = ['refuse', 'text'] as const;

/** What happens to numbers in JSON that JavaScript would round: their row is wrong, or they are kept as the text that they are written as. */
export type LargeNumbers = (typeof LARGE_NUMBERS)[number];

/** Fields that are counted by themselves, and that a warning names. */
const MAX_COUNTED = 10_000;
const MAX_NAMED = 20;

/** A row's JSON text with its large numbers as texts, and the fields of all of its numbers. */
export interface QuotedRow {
  text: string;
  /** Fields whose numbers became text. */
  quoted: string[];
  /** Fields whose numbers stayed numbers. */
  kept: string[];
}

export function quoteLargeNumbers(json: string): QuotedRow {
  const row: QuotedRow = { text: '', quoted: [], kept: [] };
  const scan = new JsonScan(json);
  let end = 0;
  for (const { text, at } of scan.numbers()) {
    if (!isLarge(text)) {
      row.kept.push(scan.field);
      continue;
    }
    row.quoted.push(scan.field);
    row.text += `${json.slice(end, at)}"${text}"`;
    end = at + text.length;
  }
  row.text += json.slice(end);
  return row;
}

/** Of whole numbers all beyond the safe ones, also those that a double happens to hold: a column of long ids is to be text in all of its rows. */
function isLarge(written: string): boolean {
  return !isExact(written) || (/^-?\d+$/.test(written) && !Number.isSafeInteger(Number(written)));
}

/** Counts by field which numbers became text, and which stayed numbers beside them. */
export class LargeNumberCount {
  private readonly quoted = new Map<string, number>();
  private readonly kept = new Map<string, number>();

  add({ quoted, kept }: QuotedRow): void {
    for (const field of quoted) count(this.quoted, field);
    for (const field of kept) count(this.kept, field);
  }

  /** Undefined when no number became text. */
  get warning(): string | undefined {
    const numbers = [...this.quoted.values()].reduce((sum, each) => sum + each, 0);
    if (numbers === 0) return undefined;
    const mixed = new Map([...this.kept].filter(([field]) => this.quoted.has(field)));
    const told = `${numbers} ${numbers === 1 ? 'number is' : 'numbers are'} too large for JSON and kept as text, by field: ${listed(this.quoted)}`;
    return mixed.size === 0 ? told : `${told}; other numbers in these fields stayed numbers: ${listed(mixed)}`;
  }
}

function count(counts: Map<string, number>, field: string): void {
  const name = counts.has(field) || counts.size < MAX_COUNTED ? field : 'other fields';
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function listed(counts: Map<string, number>): string {
  const named = [...counts].slice(0, MAX_NAMED).map(([field, times]) => `${field} (${times})`);
  return named.join(', ') + (counts.size > MAX_NAMED ? `, and ${counts.size - MAX_NAMED} more fields` : '');
}
