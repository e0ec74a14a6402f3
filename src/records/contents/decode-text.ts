import { TextDecoder } from 'node:util';
import { unreadable } from './contents.js';

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** Control characters that text has no use for: a file with one of them is something else. */
const NO_TEXT = /[^\P{Cc}\t\n\r\f\x80-\x9f]/u;

const NOT_TEXT = 'it is not text in UTF-8 or UTF-16; save it as CSV UTF-8 or as plain text in UTF-8';

/** UTF-8, unless a byte order mark says otherwise. */
export function encodingOf(head: Buffer): Encoding {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  return head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : 'utf-8';
}

/** Whether the beginning of a file is text; it may end in the middle of a character. */
export function isTextSoFar(head: Buffer, encoding: Encoding): boolean {
  try {
    return !NO_TEXT.test(new TextDecoder(encoding, { fatal: true }).decode(head, { stream: true }));
  } catch {
    return false;
  }
}

/**
 * The text of a stream of bytes, piece by piece, without its byte order mark.
 * @param what the words for the file in an error: "CSV"
 * @throws AppError UNPROCESSABLE when it is not text
 */
export async function* decodeText(bytes: AsyncIterable<Buffer>, what: string): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  for await (const chunk of bytes) {
    decoder ??= new TextDecoder(encodingOf(chunk), { fatal: true });
    yield checked(decoder, chunk, what);
  }
  if (decoder) yield checked(decoder, undefined, what);
}

function checked(decoder: TextDecoder, chunk: Buffer | undefined, what: string): string {
  let text: string;
  try {
    text = decoder.decode(chunk, { stream: chunk !== undefined });
  } catch {
    throw unreadable(what, NOT_TEXT);
  }
  if (NO_TEXT.test(text)) throw unreadable(what, NOT_TEXT);
  return text;
}
