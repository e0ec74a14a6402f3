import { setTimeout as delay } from 'node:timers/promises';
import { outageOf } from '../common/outage.js';

const AGAIN_MS = 1_000;

/**
 * Does again what the database had no space for, until it has: the results of items that have run must not be thrown away, and run again
 * in vain. A statement that failed so has changed nothing.
 * @throws what `work` throws, without space only when nobody may wait any longer
 */
export async function whenThereIsSpace<T>(work: () => Promise<T>, mayWait: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (outageOf(error)?.kind !== 'no-space' || !mayWait()) throw error;
    }
    await delay(AGAIN_MS);
  }
}
