// Works items in a thread as their payloads say. Plain JavaScript: a thread loads it as it is.
import { setTimeout as delay } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { PermanentError, RetryLaterError } from '../../../dist/threads/index.js';

const kept = [];

const DEEDS = {
  nothing: () => undefined,
  notJson: () => ({ output: { ids: [1n], rate: Number.NaN } }),
  say: ({ text }, item, context) => ({
    output: {
      text,
      threadId,
      key: item.key,
      attempt: context.attempt,
      operation: context.operation,
      parameters: context.parameters,
      idempotencyKey: context.idempotencyKey,
    },
    quality: 0.5,
  }),
  spin: ({ ms }) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
    return { output: { threadId } };
  },
  burn: ({ ms }) => {
    const before = performance.eventLoopUtilization();
    while (performance.eventLoopUtilization(before).active < ms);
    return { output: { busyMs: performance.eventLoopUtilization(before).active } };
  },
  wait: async ({ ms }, item, { signal }) => {
    const from = Date.now();
    await delay(ms, undefined, { signal });
    return { output: { threadId, from, to: Date.now() } };
  },
  untilAborted: async (payload, item, { signal }) => {
    const reason = await new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));
    return { output: { reason: reason.name } };
  },
  progress: async ({ steps }, item, { progress, signal }) => {
    for (const percent of steps) {
      progress(percent);
      await delay(150, undefined, { signal });
    }
    await delay(60_000, undefined, { signal });
  },
  objects: () => {
    for (;;) kept.push({ text: `${kept.length} `.repeat(20), list: [kept.length] });
  },
  buffers: async () => {
    for (;;) {
      kept.push(Buffer.alloc(1_048_576, 1));
      await delay(1);
    }
  },
  exit: () => process.exit(3),
  throwLater: async () => {
    setTimeout(() => {
      throw new TypeError('thrown in a timer');
    }, 20);
    await delay(60_000);
  },
  leaveBomb: ({ ms }) => {
    setTimeout(() => {
      throw new TypeError('too late');
    }, ms);
    return { output: { threadId } };
  },
  large: ({ characters }) => ({ output: 'x'.repeat(characters) }),
  circular: () => {
    const output = {};
    output.self = output;
    return { output };
  },
  permanent: () => {
    throw new PermanentError('no such thing');
  },
  later: ({ times }, item) => {
    if (kept.push(item.key) <= times) throw new RetryLaterError('not now', 10);
    return { output: 'then' };
  },
  plain: () => {
    throw new RangeError('out of range');
  },
  nothingReadable: () => {
    throw undefined;
  },
};

export function run(item, context) {
  const { do: deed, ...rest } = item.payload;
  return DEEDS[deed](rest, item, context);
}
