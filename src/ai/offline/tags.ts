import type { Readable } from './readable.js';
import { isStopWord } from './stop-words.js';

const MAX_TAGS = 8;
const TITLE_WEIGHT = 3;
const KEYWORD_WEIGHT = 5;
const SUMMARY_WEIGHT = 2;
/** A word of the body counts at most this often: twenty mentions say no more than eight. */
const MAX_MENTIONS = 8;

/** Words that matter, with how much: their frequency without stop words, raised by title, summary and keywords. */
export type Terms = Map<string, number>;

export function termsOf({ title, summary, keywords }: Readable, text: string, language: string): Terms {
  const terms: Terms = new Map();
  for (const word of wordsOf(text)) if (!isStopWord(word, language)) terms.set(word, Math.min(MAX_MENTIONS, (terms.get(word) ?? 0) + 1));
  const raise = (words: string[], weight: number): void => {
    for (const word of new Set(words)) if (!isStopWord(word, language)) terms.set(word, (terms.get(word) ?? 0) + weight);
  };
  raise(wordsOf(title), TITLE_WEIGHT);
  raise(wordsOf(summary), SUMMARY_WEIGHT);
  raise(keywords.flatMap(wordsOf), KEYWORD_WEIGHT);
  return joinPlurals(terms);
}

/** The heaviest terms, heaviest first; those said once only when nothing else is there. */
export function tagsOf(terms: Terms): string[] {
  const sorted = [...terms].sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1));
  const heavy = sorted.filter(([, weight]) => weight > 1);
  return (heavy.length > 0 ? heavy : sorted).slice(0, MAX_TAGS).map(([word]) => word);
}

/** Words of three letters and more, in lower case. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}][\p{L}\p{M}]{2,39}/gu) ?? [];
}

function joinPlurals(terms: Terms): Terms {
  for (const [word, weight] of terms) {
    const singular = word.endsWith('s') ? word.slice(0, -1) : undefined;
    if (!singular || !terms.has(singular)) continue;
    terms.set(singular, terms.get(singular)! + weight);
    terms.delete(word);
  }
  return terms;
}
