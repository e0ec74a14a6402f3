const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const NEWLINE = 0x0a;
const MAX_HEAD = 65_536;
const SLICE = 262_144;

export interface OpenSource {
  /** The beginning, at least its first line unless that is very long. */
  head: Buffer;
  /** All of it, the head included, in pieces of moderate size. */
  all: AsyncIterable<Buffer>;
}

/** Reads the beginning of a stream, and takes away the byte order mark that some programs put there. */
export async function openSource(source: AsyncIterable<Buffer>): Promise<OpenSource> {
  const chunks = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < MAX_HEAD && !(head.length > BYTE_ORDER_MARK.length && head.includes(NEWLINE))) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  if (head.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) head = head.subarray(BYTE_ORDER_MARK.length);
  return { head, all: join(head, chunks) };
}

async function* join(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* slices(head);
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield* slices(next.value);
  } finally {
    // Whoever stops reading early must not leave a file or a request open.
    await rest.return?.();
  }
}

function* slices(chunk: Buffer): Generator<Buffer> {
  for (let from = 0; from < chunk.length; from += SLICE) yield chunk.subarray(from, from + SLICE);
}
