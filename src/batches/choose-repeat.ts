import { AppError, invalidField, unprocessable } from '../common/app-error.js';
import type { Connection } from '../database/sql.js';
import { OUTCOME_STATUS } from './entities/outcome.entity.js';
import { keyOf, type PackedItem } from './packed-item.js';
import { type Repeatable, type RepeatChoice, toRepeatChoice } from './repeat-choice.js';
import { type ChosenItems, chunksOfChosen, findOutcomes, type NamedItem } from './store/choose-items.js';
import { hasListedItems } from './store/expect-again.js';
import { selectRunIds } from './store/lock-batch.js';
import type { BatchRow } from './store/select-batches.js';

/** Items that a request may name, and that names may stand for. */
export const MAX_NAMED = 10_000;

/** Which items a caller wants to be repeated; all of it has to be true of an item. */
export interface RepeatRequest {
  statuses?: Repeatable[];
  keys?: string[];
  seqs?: number[];
  errorKind?: string;
  error?: string;
  errorMatch?: 'exact' | 'contains';
}

/** @throws AppError CONFLICT when there is nothing to repeat, or not everything that is named can be */
export async function chooseRepeat(connection: Connection, batch: BatchRow, request: RepeatRequest): Promise<ChosenItems> {
  const { keys, seqs, statuses = ['failed'] } = request;
  if (keys && seqs) throw invalidField('keys', 'do not go with seqs; name the items by either');
  if (request.errorMatch && request.error === undefined) throw invalidField('errorMatch', 'says how an error is compared; give that too');
  const error = { kind: request.errorKind ?? null, message: request.error ?? null, part: request.errorMatch === 'contains' };
  const items = await whatThereIs(connection, batch, toRepeatChoice(statuses, error));
  if (!keys && !seqs) return items;
  const named = await findNamed(connection, { ...items, seqs: seqs ?? null }, keys ?? null);
  if (named.length > MAX_NAMED)
    throw invalidField('keys', `stand for more than ${MAX_NAMED} items; name them by seqs, in parts`, 'too_big');
  const found = new Set<string | number>(named.map((item) => (keys ? item.key : item.seq)));
  const wrong = [...new Set<string | number>(keys ?? seqs!)].filter((name) => !found.has(name)).slice(0, 10);
  if (wrong.length > 0) throw new AppError('CONFLICT', wrongNames(batch, request, wrong));
  return { ...items, seqs: named.map(({ seq }) => seq) };
}

/** As far as counts tell, without a look at the items. */
async function whatThereIs(connection: Connection, batch: BatchRow, choice: RepeatChoice): Promise<ChosenItems> {
  const { id, failed, skipped, cancelled } = batch;
  const runIds = await selectRunIds(connection, batch);
  const undone = choice.unprocessedOf.length > 0 ? cancelled : 0;
  const ended = (has(choice, 'failed') || choice.timeouts ? failed : 0) + (has(choice, 'skipped') ? skipped : 0);
  if (undone + ended === 0) throw nothingToRepeat(batch);
  if (undone > 0 && batch.external && !(await hasListedItems(connection, runIds[0]!))) {
    const what = `the ${cancelled} items of batch ${id} without a result were never listed, so that nobody can tell which they are`;
    throw unprocessable('statuses', `${what}; create a new batch for them`);
  }
  return { runIds, seqs: null, choice: { ...choice, unprocessedOf: undone > 0 ? choice.unprocessedOf : [] } };
}

function has({ outcomes }: RepeatChoice, status: keyof typeof OUTCOME_STATUS): boolean {
  return outcomes.includes(OUTCOME_STATUS[status]);
}

export function nothingToRepeat({ id, failed, skipped, cancelled }: BatchRow): AppError {
  const counts = `it has ${failed} failed, ${skipped} skipped and ${cancelled} unprocessed`;
  return new AppError(
    'CONFLICT',
    `nothing to retry: batch ${id} has no item that is chosen (${counts}); choose by statuses, keys, seqs or error`,
  );
}

/** Keys of items without an outcome are in their chunks alone: all that are chosen are looked through. */
async function findNamed(connection: Connection, items: ChosenItems, keys: string[] | null): Promise<NamedItem[]> {
  if (items.choice.unprocessedOf.length === 0) return findOutcomes(connection, items, keys, MAX_NAMED + 1);
  const wanted = keys && new Set(keys);
  const named: NamedItem[] = [];
  for await (const page of chosenItems(connection, items)) {
    named.push(...(wanted ? page.filter(({ key }) => wanted.has(key)) : page));
    if (named.length > MAX_NAMED) break;
  }
  return named;
}

async function* chosenItems(connection: Connection, items: ChosenItems): AsyncGenerator<NamedItem[]> {
  for await (const page of chunksOfChosen(connection, items)) {
    yield page.flatMap((chunk) => {
      const packed = JSON.parse(chunk.items) as PackedItem[];
      return chunk.seqs.map((seq) => ({ seq, key: keyOf(packed[seq - Number(chunk.no)]!, seq) }));
    });
  }
}

function wrongNames({ id }: BatchRow, { statuses, errorKind, error }: RepeatRequest, wrong: (string | number)[]): string {
  const names = wrong.join(', ');
  if (errorKind !== undefined || error !== undefined) return `of batch ${id} ${names} did not end with this error`;
  if (!statuses) return `of batch ${id} only failed items can be retried; ${names} did not fail. Choose others by statuses`;
  return `of batch ${id} only items that are ${statuses.join(' or ')} are chosen; ${names} are not`;
}
