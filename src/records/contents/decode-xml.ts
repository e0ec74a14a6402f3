import { TextDecoder } from 'node:util';

/** XML begins with "<", whose two bytes in UTF-16 tell the order of all others. */
const UTF16_BEGINNINGS = new Map([
  ['fffe', 'utf-16le'],
  ['3c00', 'utf-16le'],
  ['feff', 'utf-16be'],
  ['003c', 'utf-16be'],
]);
const DECLARED = /^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\sencoding\s*=\s*["']([\w.:-]{1,40})["']/;

/** The text of an XML document, in the encoding that its beginning tells. @throws Error when no text is known to be encoded so */
export async function* decodeXml(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  for await (const chunk of bytes) {
    decoder ??= new TextDecoder(encodingOf(chunk));
    yield decoder.decode(chunk, { stream: true });
  }
  if (decoder) yield decoder.decode();
}

function encodingOf(head: Buffer): string {
  const utf16 = UTF16_BEGINNINGS.get(head.toString('hex', 0, 2));
  if (utf16) return utf16;
  const declared = DECLARED.exec(head.toString('latin1', 0, 200))?.[1] ?? 'utf-8';
  // A document in one of these would have been found by its first bytes.
  return /^(?:utf-16|ucs-2|iso-10646-ucs-2)/i.test(declared) ? 'utf-8' : declared;
}
