import type { Readable } from 'node:stream';
import { AppError } from '../common/app-error.js';
import { DecodedBody } from './decoded-body.js';

/**
 * A request's body as it comes in. Whoever stops reading early leaves the rest to be thrown away: destroying the stream instead
 * would cut the connection before the client has read why its request was refused.
 * @throws AppError TOO_LARGE beyond the limit
 */
export async function* readBody(body: Readable, maxBytes: number): AsyncGenerator<Buffer> {
  try {
    yield* limitBytes(body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>, maxBytes);
  } finally {
    // The rest of a compressed body need not be decoded: it may be gigabytes.
    if (body instanceof DecodedBody) body.destroy();
    else body.resume();
  }
}

/** @throws AppError TOO_LARGE beyond the limit */
export async function* limitBytes(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > maxBytes) throw new AppError('TOO_LARGE', `the body is larger than ${maxBytes} bytes (MAX_UPLOAD_BYTES); send it in parts`);
    yield chunk;
  }
}
