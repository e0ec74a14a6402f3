/** What a module needs that runs in a thread, and no more: every thread loads it anew. */
import type { ItemContext } from '../operations/item-handler.js';

export type { Item, ItemResult } from '../operations/item-handler.js';
export { BatchStoppedError, PermanentError, RetryLaterError } from '../operations/item-errors.js';

/** An item's context in a thread: plain data, the signal, and `progress`. */
export type ThreadItemContext<Parameters = unknown> = Omit<ItemContext<Parameters>, 'logger' | 'keepsBackup' | 'untimed'>;
