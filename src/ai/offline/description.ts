import { cutText, toPlainText } from './plain-text.js';
import type { Readable } from './readable.js';
import { type Terms, wordsOf } from './tags.js';

const MAX_LENGTH = 200;
/** An author's own summary is taken when it says something. */
const MIN_SUMMARY_WORDS = 4;

/** The record in about 200 characters of its own words: its summary if it has one, else the sentences that say most. */
export function describe(readable: Readable, sentences: string[], terms: Terms): string {
  const summary = toPlainText(readable.summary).replace(/\s+/g, ' ');
  if (summary.split(' ').length >= MIN_SUMMARY_WORDS) return cutText(summary, MAX_LENGTH);
  const best = mostInformative(sentences, terms);
  return cutText(best || summary || readable.title, MAX_LENGTH);
}

/** The sentence whose words weigh most for its length, sooner ones first, and the one after it if there is room. */
function mostInformative(sentences: string[], terms: Terms): string {
  let best = -1;
  let bestScore = 0;
  sentences.slice(0, 60).forEach((sentence, index) => {
    const words = new Set(wordsOf(sentence));
    let weight = 0;
    for (const word of words) weight += terms.get(word) ?? 0;
    const score = (weight / Math.sqrt(words.size + 4)) * (1 + 1 / (index + 1));
    if (score > bestScore) [best, bestScore] = [index, score];
  });
  const [first = '', second] = sentences.slice(Math.max(0, best));
  return second && first.length + second.length < MAX_LENGTH ? `${first} ${second}` : first;
}
