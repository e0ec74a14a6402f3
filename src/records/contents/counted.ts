import type { Rereadable } from '../csv/csv-rows.js';
import type { ReadOptions } from './contents.js';

/** Text is read from end to end for its charset first, and then for what it says. */
const READINGS = 2;

/** The bytes of a text, which tell how far they are read over all readings, and stop on the signal. @param size bytes */
export function counted(
  read: Rereadable,
  size: number,
  { signal, onProgress }: Pick<Required<ReadOptions>, 'signal' | 'onProgress'>,
): Rereadable {
  let seen = 0;
  return async function* () {
    for await (const chunk of read()) {
      signal.throwIfAborted();
      yield chunk;
      seen += chunk.length;
      onProgress(Math.min(100, (100 * seen) / (READINGS * size)));
    }
  };
}
