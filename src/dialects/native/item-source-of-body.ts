import { Readable } from 'node:stream';
import { type ItemSource, itemsFromArray, itemsFromNdjson } from '../../batches/item-source.js';
import { AppError } from '../../common/app-error.js';
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
  const message = 'send { "items": [...] } and nothing else, or NDJSON with one item a line';
  throw new AppError('INVALID_INPUT', message, { details: { errors: [{ path: 'items', message, code: 'invalid_type' }] } });
}
