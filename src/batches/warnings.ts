import { toStorableText } from '../common/safe-json.js';

const MAX_WARNINGS = 50;
const MAX_CHARACTERS = 1_000;

/**
 * Gathers what the creator of a batch should know of it: options without effect, rows that were read otherwise than written. Each sentence is
 * kept once and cut at 1,000 characters; of more than fifty only the number is kept.
 */
export class Warnings {
  private readonly sentences = new Set<string>();
  private more = 0;

  add(sentence: string): void {
    const text = toStorableText(sentence.slice(0, MAX_CHARACTERS));
    if (this.sentences.has(text)) return;
    if (this.sentences.size < MAX_WARNINGS) this.sentences.add(text);
    else this.more += 1;
  }

  list(): string[] {
    return this.more === 0 ? [...this.sentences] : [...this.sentences, `there are ${this.more} more warnings, which are not kept`];
  }
}
