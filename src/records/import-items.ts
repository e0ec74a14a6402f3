import type { NewItem } from '../operations/item-handler.js';
import { AppError, fieldError } from '../common/app-error.js';
import { keyOfRow } from './record-fields.js';
import type { ParsedRow, Problem } from './parse/line.js';

const MAX_REPORTED = 100;

/** What AddItems takes: the JSON text of an item and its key, or why there is none, or something to know of all of them. */
export type ImportItem = { line: number; text: string; key: string } | Problem | { warning: string };

/** Rows as items: the key is the row's key field, or else the row's number; the payload is the row, word for word. */
export async function* toImportItems(rows: AsyncIterable<ParsedRow[]>, keyField?: string): AsyncGenerator<ImportItem[]> {
  let number = 0;
  for await (const block of rows) {
    yield block.map((parsed) => {
      if ('warning' in parsed) return parsed;
      number += 1;
      const keyed = withKey(parsed, number, keyField);
      if ('problem' in keyed) return keyed;
      const { line, key } = keyed;
      return { line, text: `{"key":${JSON.stringify(key)},"payload":${keyed.text}}`, key };
    });
  }
}

interface NewItemOptions {
  keyField?: string;
  warn: (sentence: string) => void;
}

/**
 * Rows as items to be, for a batch that is created from a file.
 * @throws AppError INVALID_INPUT with the first wrong rows
 */
export async function* toNewItems(rows: AsyncIterable<ParsedRow[]>, { keyField, warn }: NewItemOptions): AsyncGenerator<NewItem> {
  let number = 0;
  const problems: Problem[] = [];
  for await (const block of rows) {
    for (const parsed of block) {
      if ('warning' in parsed) {
        warn(parsed.warning);
        continue;
      }
      number += 1;
      const keyed = withKey(parsed, number, keyField);
      if ('problem' in keyed) problems.push(keyed);
      else if (problems.length === 0) yield { key: keyed.key, payload: keyed.row };
      if (problems.length === MAX_REPORTED) throw wrongRows(problems);
    }
  }
  if (problems.length > 0) throw wrongRows(problems);
}

type RowOrProblem = Exclude<ParsedRow, { warning: string }>;
type KeyedRow = Exclude<RowOrProblem, Problem> & { key: string };

function withKey(parsed: RowOrProblem, number: number, keyField: string | undefined): KeyedRow | Problem {
  if ('problem' in parsed) return parsed;
  if (keyField === undefined) return { ...parsed, key: String(number) };
  const found = keyOfRow(parsed.row, keyField);
  return 'problem' in found ? { line: parsed.line, problem: found.problem } : { ...parsed, key: found.key };
}

function wrongRows(problems: Problem[]): AppError {
  const errors = problems.map(({ line, problem }) => fieldError(`line ${line}`, problem));
  const first = problems[0]!;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const hint =
    'correct the file, or import it through POST /api/records/:collection/import with onInvalid=skip, which leaves such rows out';
  return new AppError('INVALID_INPUT', `line ${first.line}: ${first.problem}${more}; ${hint}`, { details: { errors } });
}
