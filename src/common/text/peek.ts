const SLICE = 262_144;

export interface Peeked {
  /** The beginning, fewer bytes than were asked for only where there are no more. */
  head: Buffer;
  /** All of it, the head included, in pieces of moderate size. */
  all: AsyncIterable<Buffer>;
  /** Ends it: whoever does not read it to its end must not leave a file or a request open. */
  close: () => Promise<unknown>;
}

/** Reads the beginning of a stream, and gives the stream back as if it had not been read. */
export async function peek(source: AsyncIterable<Buffer>, bytes: number): Promise<Peeked> {
  const chunks = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < bytes) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const close = async (): Promise<unknown> => chunks.return?.();
  return { head: head.subarray(0, bytes), all: join(head, chunks, close), close };
}

async function* join(head: Buffer, rest: AsyncIterator<Buffer>, close: Peeked['close']): AsyncGenerator<Buffer> {
  try {
    yield* slices(head);
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield* slices(next.value);
  } finally {
    await close();
  }
}

function* slices(chunk: Buffer): Generator<Buffer> {
  for (let from = 0; from < chunk.length; from += SLICE) yield chunk.subarray(from, from + SLICE);
}
