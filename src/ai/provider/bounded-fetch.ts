const MAX_REPLY_BYTES = 4_000_000;

/** The reply went on and on. */
export class ReplyTooLargeError extends Error {
  override readonly name = 'ReplyTooLargeError';
}

/** The reply is the address of somebody else. */
export class RedirectedError extends Error {
  override readonly name = 'RedirectedError';
}

/** Fetches what has at most 4 MB. A redirect is an error: documents and key go to the configured address and nowhere else. */
export const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: 'manual' });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new RedirectedError(`redirected by HTTP ${response.status}`);
  }
  return new Response(response.body?.pipeThrough(limit(MAX_REPLY_BYTES)), response);
};

function limit(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let size = 0;
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.length;
      if (size > maxBytes) controller.error(new ReplyTooLargeError(`the reply is larger than ${maxBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
}
