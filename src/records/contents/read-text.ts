import { type ReadOptions, Excerpt, type TextContents } from './contents.js';
import { decodeText } from './decode-text.js';

/** @param size bytes of the whole file */
export async function readText(bytes: AsyncIterable<Buffer>, size: number, options: Required<ReadOptions>): Promise<TextContents> {
  const excerpt = new Excerpt(options.maxTextCharacters);
  let lines = 0;
  let endsLine = true;
  for await (const text of decodeText(counted(bytes, size, options), 'text file')) {
    excerpt.add(text);
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
    if (text !== '') endsLine = text.endsWith('\n');
  }
  return { kind: 'text', lines: endsLine ? lines : lines + 1, ...excerpt.toText() };
}

/** Tells how far a stream of known size is read, and stops on the signal. */
export async function* counted(
  bytes: AsyncIterable<Buffer>,
  size: number,
  { signal, onProgress }: Pick<Required<ReadOptions>, 'signal' | 'onProgress'>,
): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    yield chunk;
    seen += chunk.length;
    onProgress((100 * seen) / size);
  }
}
