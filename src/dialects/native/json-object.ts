import { Readable } from 'node:stream';
import { AppError, invalidField } from '../../common/app-error.js';

/** A body that has no class of its own, as the JSON object it must be. */
export function jsonObject(body: unknown): Record<string, unknown> {
  if (body instanceof Readable) {
    throw new AppError('UNSUPPORTED_TYPE', 'this route does not read streams or uploads; send the body as application/json');
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  throw invalidField('body', 'must be a JSON object', 'invalid_type');
}
