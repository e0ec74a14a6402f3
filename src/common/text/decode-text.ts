import { isAscii } from 'node:buffer';
import iconv from 'iconv-lite';

const SLICE = 262_144;

/**
 * The text of a stream of bytes, piece by piece, without its byte order mark. For bytes that are not of the charset it has U+FFFD.
 * Node's own decoder is asked for UTF-8 alone: up to 22.x it takes windows-1252 for ISO-8859-1.
 */
export async function* decodeText(bytes: AsyncIterable<Buffer>, charset: string): AsyncGenerator<string> {
  const next = charset === 'utf-8' ? utf8Decoder() : otherDecoder(charset);
  for await (const chunk of bytes) for (const slice of slices(chunk)) yield next(slice);
  yield next();
}

/** The text of bytes that are at hand. */
export function decode(bytes: Buffer, charset: string): string {
  return charset === 'utf-8' ? new TextDecoder(charset).decode(bytes) : iconv.decode(bytes, charset);
}

type Decode = (bytes?: Buffer) => string;

function utf8Decoder(): Decode {
  const decoder = new TextDecoder('utf-8');
  let isWhole = false;
  return (bytes) => {
    // ASCII is a third of the work, when no character is under way.
    if (bytes && isWhole && isAscii(bytes)) return bytes.toString('latin1');
    isWhole = bytes !== undefined && bytes.length > 0 && bytes[bytes.length - 1]! < 0x80;
    return decoder.decode(bytes, { stream: bytes !== undefined });
  };
}

function otherDecoder(charset: string): Decode {
  const decoder = iconv.getDecoder(charset, { stripBOM: true });
  return (bytes) => (bytes ? decoder.write(bytes) : (decoder.end() ?? ''));
}

function* slices(chunk: Buffer): Generator<Buffer> {
  for (let from = 0; from < chunk.length; from += SLICE) yield chunk.subarray(from, from + SLICE);
}
