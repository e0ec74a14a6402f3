/** A provider did its work, and what it answered is of no use: the item is tried again, and its circuit breaker counts an answer. */
export class UnusableAnswer extends Error {
  override readonly name = 'UnusableAnswer';
}
