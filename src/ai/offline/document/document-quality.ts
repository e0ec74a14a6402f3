import type { Finding, Quality } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { readabilityOf } from '../quality.js';
import { wordsOf } from '../tags.js';
import { oddShare, repeatedLines } from './oddities.js';

/** What each part counts; they add up to 1. */
const WEIGHTS = { length: 0.3, readability: 0.25, cleanliness: 0.25, language: 0.1, structure: 0.1 };
const ENOUGH_WORDS = 150;
const FEW_WORDS = 30;
const LONG_SENTENCE = 30;
const MAX_SHARE_EMPTY = 0.3;

/** What was made of a document's text. */
export interface ReadText {
  plain: string;
  sentences: string[];
  language: string;
  /** 0 to 1 */
  languageConfidence: number;
}

/**
 * The score is 0 for a document without text, else the weighted sum of
 * - length (0.3): words of prose, enough at 150;
 * - readability (0.25): how near sentences are to 16 words and words to 5 letters;
 * - cleanliness (0.25): 1, less ten times the share of broken characters and less the share of repeated lines;
 * - language (0.1): how surely its language is told;
 * - structure (0.1): half for several paragraphs or fields, half for a digit.
 */
export function documentQuality(document: SourceDocument, read: ReadText): Quality {
  const words = wordsOf(read.plain);
  if (words.length === 0)
    return { score: 0, issues: [{ kind: 'no-text', severity: 'high', message: 'it holds no text that can be read' }] };
  const odd = oddShare(document.text);
  const repeated = repeatedShare(document.text);
  const parts = {
    length: Math.min(1, Math.sqrt(words.length / ENOUGH_WORDS)),
    readability: readabilityOf(read.sentences),
    cleanliness: Math.max(0, 1 - 10 * odd - repeated),
    language: read.languageConfidence,
    structure: structureOf(document.text),
  };
  const score = (Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]).reduce((sum, part) => sum + WEIGHTS[part] * parts[part], 0);
  return { score: Math.round(score * 1_000) / 1_000, issues: issuesOf(document, read, { words: words.length, odd, repeated }) };
}

function structureOf(text: string): number {
  const blocks = text.split(/\n[ \t]{0,20}\n|\n(?=[^\n]{1,60}: )/).filter((block) => /\p{L}/u.test(block)).length;
  return (blocks > 1 ? 0.5 : 0) + (/\d/.test(text) ? 0.5 : 0);
}

function repeatedShare(text: string): number {
  const repeated = repeatedLines(text).reduce((sum, { line, times }) => sum + line.length * (times - 1), 0);
  return Math.min(1, repeated / text.length);
}

function issuesOf(document: SourceDocument, read: ReadText, measured: { words: number; odd: number; repeated: number }): Finding[] {
  const { words, odd, repeated } = measured;
  const perSentence = read.sentences.length === 0 ? 0 : wordsOf(read.sentences.join(' ')).length / read.sentences.length;
  const empty = emptyFields(document.fields);
  const issues: (Finding | false)[] = [
    odd > 0.02 && { kind: 'broken-characters', severity: 'high', message: `${percent(odd)} of its characters cannot be read` },
    words < FEW_WORDS && { kind: 'little-text', severity: 'medium', message: `it has only ${words} words` },
    repeated > 0.2 && { kind: 'repetition', severity: 'medium', message: `${percent(repeated)} of it are repeated lines` },
    read.sentences.length === 0 && { kind: 'no-sentences', severity: 'low', message: 'it has no whole sentence' },
    perSentence > LONG_SENTENCE && {
      kind: 'long-sentences',
      severity: 'low',
      message: `its sentences have ${Math.round(perSentence)} words`,
    },
    read.language === 'und' && { kind: 'unknown-language', severity: 'low', message: 'its language cannot be told' },
    empty.share > MAX_SHARE_EMPTY && { kind: 'empty-fields', severity: 'low', message: `empty: ${empty.names.slice(0, 10).join(', ')}` },
    document.truncated && { kind: 'truncated', severity: 'low', message: `only the first ${document.text.length} characters were read` },
  ];
  return issues.filter((issue) => issue !== false);
}

function emptyFields(fields: Record<string, unknown>): { names: string[]; share: number } {
  const all = Object.entries(fields);
  const names = all.filter(([, value]) => value === null || value === '').map(([name]) => name);
  return { names, share: all.length === 0 ? 0 : names.length / all.length };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
