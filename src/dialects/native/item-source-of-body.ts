import { Readable } from 'node:stream';
import { type ItemSource, itemsFromArray, itemsFromNdjson } from '../../batches/item-source.js';
import { AppError, invalidField } from '../../common/app-error.js';
import { charsetOf, rowsOfType } from '../../common/media-types.js';
import { readBody } from '../../common/read-body.js';
import { toUtf8 } from '../../common/text/to-utf8.js';

/** The items that a request brings: `{ "items": [...] }`, or NDJSON of at most `maxBytes`. */
export function itemSourceOf(body: unknown, type: string, maxBytes: number): ItemSource {
  if (body instanceof Readable) {
    if (rowsOfType(type) === 'ndjson') return itemsFromNdjson(toUtf8(readBody(body, maxBytes), charsetOf(type)));
    throw new AppError('UNSUPPORTED_TYPE', `items are not read as ${type}; send application/json or application/x-ndjson`);
  }
  const { items, ...others } = (body ?? {}) as { items?: unknown };
  if (Array.isArray(items) && Object.keys(others).length === 0) return itemsFromArray(items);
  throw invalidField('items', 'must be a list, and nothing beside it; or send NDJSON with one line for each', 'invalid_type');
}
