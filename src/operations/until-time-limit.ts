import { BatchStoppedError } from './item-handler.js';

/**
 * An item's signal without the news that its batch was stopped, for work that should then finish and be recorded: it is aborted at
 * the item's time limit and when the worker shuts down.
 * @param limitMs the item's time limit, which a signal that was aborted before cannot tell any more
 */
export function untilTimeLimit(signal: AbortSignal, limitMs: number): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    if (!(signal.reason instanceof BatchStoppedError)) return controller.abort(signal.reason);
    const tooLate = new DOMException('time limit exceeded', 'TimeoutError');
    timer = setTimeout(() => controller.abort(tooLate), Math.max(0, startedAt + limitMs - performance.now()));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return { signal: controller.signal, done: () => clearTimeout(timer) };
}
