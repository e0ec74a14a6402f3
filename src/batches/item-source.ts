import { linesOf } from '../common/lines.js';
import { parseJson, sentenceOf } from '../common/json-text.js';
import { problemOfJson } from '../common/json-value.js';
import { isStorable, unsafeKey, UNSTORABLE_TEXT } from '../common/safe-json.js';
import type { ItemHandlerClass, NewItem } from '../operations/item-handler.js';

/**
 * An item on its way in: the JSON text of `{ key?, payload? }` and its key, or what is wrong with it. Lines count from 1. A warning is
 * something that the batch's creator should know of the whole.
 */
export type SourceItem = { line: number; text: string; key: string | undefined } | { line: number; problem: string } | { warning: string };

/** Items in slices: a slice is what one read brought, so that an item costs no await of its own. */
export type ItemSource = AsyncIterable<SourceItem[]>;

/** Of an item as JSON. */
export const MAX_ITEM_CHARACTERS = 1_048_576;
const MAX_KEY_LENGTH = 512;
const SLICE = 500;
const SLICE_CHARACTERS = 1_000_000;

/** A list from a request's body: `{ key?, payload? }` each, or a bare string or number, which is the key. */
export async function* itemsFromArray(values: readonly unknown[]): ItemSource {
  for (let from = 0; from < values.length; from += SLICE) {
    yield values.slice(from, from + SLICE).map((value, index) => toSourceItem(value, from + index + 1));
    await Promise.resolve();
  }
}

/** One JSON object `{ key?, payload? }` a line. Blank lines are passed over. */
export async function* itemsFromNdjson(stream: AsyncIterable<Buffer>): ItemSource {
  for await (const slice of linesOf(stream)) {
    yield slice.map(({ line, text, problem }) => (problem ? { line, problem } : parseLine(text, line)));
  }
}

export async function* itemsFromGenerator(items: AsyncIterable<NewItem>): ItemSource {
  let slice: SourceItem[] = [];
  let line = 0;
  let characters = 0;
  for await (const item of items) {
    const next = toSourceItem(item, (line += 1));
    slice.push(next);
    characters += 'text' in next ? next.text.length : 0;
    if (slice.length < SLICE && characters < SLICE_CHARACTERS) continue;
    yield slice;
    slice = [];
    characters = 0;
  }
  yield slice;
}

/** The same items, without those that their handler does not take: these are problems of their lines. */
export function itemsTakenBy(handler: ItemHandlerClass, source: ItemSource): ItemSource {
  return handler.refuseItem ? refusing(handler, source) : source;
}

async function* refusing(handler: ItemHandlerClass, source: ItemSource): ItemSource {
  for await (const slice of source) {
    yield slice.map((item) => {
      if (!('text' in item)) return item;
      const problem = handler.refuseItem!(item.text);
      return problem === undefined ? item : { line: item.line, problem };
    });
  }
}

function parseLine(text: string, line: number): SourceItem {
  const parsed = parseJson(text);
  if ('errors' in parsed) return { line, problem: sentenceOf(parsed.errors) };
  const problem = itemProblem(parsed.value, text);
  return problem ? { line, problem } : { line, text, key: (parsed.value as NewItem).key };
}

function toSourceItem(value: unknown, line: number): SourceItem {
  const notJson = problemOfJson(value, '');
  if (notJson) return { line, problem: `not a JSON value: ${sentenceOf([notJson])}` };
  const item = typeof value === 'string' || typeof value === 'number' ? { key: String(value) } : value;
  const text = JSON.stringify(item) as string | undefined;
  const problem = text === undefined ? 'not a JSON value' : itemProblem(item, text);
  return problem ? { line, problem } : { line, text: text!, key: (item as NewItem).key };
}

function itemProblem(item: unknown, text: string): string | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return 'an item must be an object { key?, payload? }';
  if (text.length > MAX_ITEM_CHARACTERS) return `an item may have at most ${MAX_ITEM_CHARACTERS} characters, this one has ${text.length}`;
  for (const field of Object.keys(item)) {
    if (field !== 'key' && field !== 'payload') return `${field} is not a known field; an item has a key and a payload`;
  }
  const { key } = item as { key?: unknown };
  if (key !== undefined && (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH)) {
    return `key must be a string of 1 to ${MAX_KEY_LENGTH} characters`;
  }
  if (key !== undefined && !isStorable(key)) return `key ${UNSTORABLE_TEXT}`;
  const unsafe = unsafeKey(item, text);
  return unsafe ? `${unsafe} is a forbidden key` : undefined;
}
