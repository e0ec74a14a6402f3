import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { AppError } from './app-error.js';

const DECODERS = new Map([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
]);

type Decoder = ReturnType<typeof createGunzip>;

/** The headers of a request that say whether and how its body was compressed. */
interface BodyHeaders {
  'content-encoding'?: string;
  'content-type'?: string;
  'content-length'?: string;
  'transfer-encoding'?: string;
}

/**
 * A request's body as it was before its sender compressed it; another one is handed back as it is.
 * @param maxBytes of the decoded body: a few bytes may stand for gigabytes
 * @throws AppError UNSUPPORTED_TYPE for an encoding that is not read
 */
export function decodeBody(raw: Readable, headers: BodyHeaders, maxBytes: number): Readable {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!hasBody || encoding === '' || encoding === 'identity') return raw;
  if (/^multipart\//i.test(headers['content-type'] ?? '')) {
    throw new AppError('UNSUPPORTED_TYPE', 'a form is not read with a content-encoding; send it as it is');
  }
  const create = DECODERS.get(encoding);
  if (create) return new DecodedBody(raw, { encoding, decoder: create(), maxBytes });
  throw new AppError('UNSUPPORTED_TYPE', `content-encoding ${encoding} is not read; send the body as it is, or with gzip, deflate or br`);
}

/** Destroyed, it stops decoding, and lets the rest of the request run to its end so that the answer can be read. */
export class DecodedBody extends Readable {
  private readonly chunks: AsyncIterator<Buffer>;

  constructor(
    private readonly raw: Readable,
    private readonly settings: { encoding: string; decoder: Decoder; maxBytes: number },
  ) {
    super();
    this.chunks = this.decode();
    // Whoever reads it is told. When nobody does any more, an error must not end the process.
    this.on('error', () => undefined);
  }

  /** Fastify compares it with the content length. */
  get receivedEncodedLength(): number {
    return this.settings.decoder.bytesWritten;
  }

  override _read(): void {
    this.chunks.next().then(
      ({ done, value }) => this.push(done ? null : value),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.raw.unpipe(this.settings.decoder);
    this.settings.decoder.destroy();
    this.raw.resume();
    done(error);
  }

  private async *decode(): AsyncGenerator<Buffer> {
    const { encoding, decoder, maxBytes } = this.settings;
    let size = 0;
    // A request that is cut off would leave the decoder waiting.
    this.raw.once('error', (error) => decoder.destroy(error)).pipe(decoder);
    try {
      for await (const chunk of decoder as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > maxBytes) throw tooLarge(maxBytes);
        yield chunk;
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      throw new AppError('INVALID_INPUT', `the body is not whole ${encoding}, as content-encoding says: ${error.message}`, {
        cause: error,
      });
    }
  }
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('TOO_LARGE', `the body is larger than ${maxBytes} bytes (MAX_UPLOAD_BYTES) when it is decoded; send it in parts`);
}

/** zlib's errors, unlike those of the connection. */
function isDamage(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'code' in error && /^(?:Z_|ERR__ERROR)/.test(String(error.code));
}
