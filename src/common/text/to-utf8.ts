import { invalidField } from '../app-error.js';
import { markedCharset, toCharset } from './charset.js';
import { decodeText } from './decode-text.js';
import { peek } from './peek.js';

const MARK_BYTES = 4;
const UTF8_MARK_BYTES = 3;

/**
 * A stream of text as UTF-8 without byte order mark: read in the charset that its mark or its sender tells, else taken for UTF-8. Bytes that
 * are said to be UTF-8 are handed through unchecked.
 * @throws AppError INVALID_INPUT when the charset is unknown, or the mark and the sender contradict each other
 */
export async function* toUtf8(source: AsyncIterable<Buffer>, declared?: string): AsyncGenerator<Buffer> {
  const { head, all, close } = await peek(source, MARK_BYTES);
  try {
    const marked = markedCharset(head);
    const charset = chooseCharset(marked, declared);
    if (charset === 'utf-8') yield* without(all, marked ? UTF8_MARK_BYTES : 0);
    else for await (const text of decodeText(all, charset)) yield Buffer.from(text);
  } finally {
    await close();
  }
}

function chooseCharset(marked: string | undefined, declared: string | undefined): string {
  if (declared === undefined) return marked ?? 'utf-8';
  const told = toCharset(declared);
  if (!marked || marked === told || (/^utf-?16$/i.test(declared.trim()) && marked.startsWith('utf-16'))) return marked ?? told;
  throw invalidField('charset', `the text is declared as ${declared}, but begins with the byte order mark of ${marked}`);
}

async function* without(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of chunks) {
    yield left > 0 ? chunk.subarray(left) : chunk;
    left = 0;
  }
}
