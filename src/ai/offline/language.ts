import { francAll } from 'franc';
import { isLittleWord } from './stop-words.js';

/** ISO 639-3, as the detector says, to ISO 639-1, as records say. Without a list it takes an English sentence for Scots. */
const LANGUAGES: Record<string, string> = {
  eng: 'en',
  deu: 'de',
  fra: 'fr',
  spa: 'es',
  ita: 'it',
  por: 'pt',
  nld: 'nl',
  pol: 'pl',
  swe: 'sv',
  tur: 'tr',
  rus: 'ru',
  ukr: 'uk',
  arb: 'ar',
  cmn: 'zh',
  jpn: 'ja',
  kor: 'ko',
  hin: 'hi',
};
const ONLY = Object.keys(LANGUAGES);
/** More text makes the answer no surer, and costs. */
const READ = 500;
const MIN_LENGTH = 20;
/** Different ones, of a language with spaces between its words. */
const MIN_WORDS = 5;
const CANDIDATES = 6;
/** By so much the best of a clear text is ahead. */
const CLEAR_LEAD = 0.4;
const UNSURE = 0.1;

export interface DetectedLanguage {
  /** ISO 639-1, or `und` when there is too little to tell it by. */
  language: string;
  /** 0 to 1: how far the next likely language is behind. */
  confidence: number;
}

/**
 * By the frequency of letter triples, and by little words like "the" or "und" among the likeliest languages: triples alone take
 * a short English sentence for French.
 */
export function detectLanguage(text: string): DetectedLanguage {
  const read = text.slice(0, READ);
  const words = read.toLowerCase().match(/\p{L}+/gu) ?? [];
  if (new Set(words).size < MIN_WORDS && !/[^\p{Script=Latin}\p{Script=Common}]/u.test(read)) return { language: 'und', confidence: 0 };
  const scores = francAll(read, { only: ONLY, minLength: MIN_LENGTH })
    .filter(([code]) => code in LANGUAGES)
    .slice(0, CANDIDATES)
    .map(([code, score]) => {
      const language = LANGUAGES[code]!;
      return { language, score: score + words.filter((word) => isLittleWord(word, language)).length / Math.max(1, words.length) };
    })
    .sort((a, b) => b.score - a.score);
  const [best, next] = scores;
  if (!best) return { language: 'und', confidence: 0 };
  const lead = Math.min(1, (best.score - (next?.score ?? 0)) / CLEAR_LEAD);
  const confidence = round(lead * Math.min(1, read.length / 100));
  return confidence < UNSURE ? { language: 'und', confidence: 0 } : { language: best.language, confidence };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
