import type { Readable } from './readable.js';
import { wordsOf } from './tags.js';

/** How well a record can be used, each part 0 to 1. */
export interface QualityParts {
  completeness: number;
  length: number;
  readability: number;
  language: number;
}

/** What each part counts; they add up to 1. */
const WEIGHTS: QualityParts = { completeness: 0.35, length: 0.25, readability: 0.25, language: 0.15 };

const ENOUGH_WORDS = 150;
const PLEASANT_SENTENCE = 16;
const PLEASANT_WORD = 5.2;

/**
 * 0 to 1, the weighted sum of
 * - completeness (0.35): fields that are filled, and whether there is a title, a summary and keywords;
 * - length (0.25): words of prose, enough at 150;
 * - readability (0.25): how near sentences are to 16 words and words to 5 letters;
 * - language (0.15): how surely its language is told.
 */
export function qualityOf(readable: Readable, text: string, sentences: string[], languageConfidence: number): number {
  const words = wordsOf(text);
  const parts: QualityParts = {
    completeness: completenessOf(readable),
    // The first words count most: from none to fifty is a larger step than from a hundred to a hundred and fifty.
    length: Math.min(1, Math.sqrt(words.length / ENOUGH_WORDS)),
    readability: readabilityOf(sentences),
    language: languageConfidence,
  };
  const sum = (Object.keys(WEIGHTS) as (keyof QualityParts)[]).reduce((total, part) => total + WEIGHTS[part] * parts[part], 0);
  return Math.round(sum * 1_000) / 1_000;
}

function completenessOf({ title, summary, keywords, filled }: Readable): number {
  return filled * 0.4 + (title ? 0.2 : 0) + (summary ? 0.25 : 0) + (keywords.length > 0 ? 0.15 : 0);
}

/** 0 to 1: how near sentences are to 16 words and words to 5 letters. */
export function readabilityOf(sentences: string[]): number {
  if (sentences.length === 0) return 0;
  const words = sentences.flatMap((sentence) => wordsOf(sentence));
  if (words.length === 0) return 0;
  const perSentence = words.length / sentences.length;
  const perWord = words.reduce((sum, word) => sum + word.length, 0) / words.length;
  return nearness(perSentence, PLEASANT_SENTENCE, 14) * 0.6 + nearness(perWord, PLEASANT_WORD, 3) * 0.4;
}

/** 1 at the ideal, falling to 0 at `reach` away from it. */
function nearness(value: number, ideal: number, reach: number): number {
  return Math.max(0, 1 - Math.abs(value - ideal) / reach);
}
