/** Counts what is done, for somebody who waits for so many more. */
export class DoneCount {
  #done = 0;
  #awaited = Infinity;
  #reached;

  get total() {
    return this.#done;
  }

  add(count = 1) {
    this.#done += count;
    if (this.#done >= this.#awaited) this.#reached();
  }

  /** Resolves when so many more are done than were when it was called. */
  more(count) {
    this.#awaited = this.#done + count;
    return new Promise((resolve) => (this.#reached = resolve));
  }
}
