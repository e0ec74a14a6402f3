import type { AnalysisType, Extraction, Findings } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { categorize } from '../category.js';
import { describe } from '../description.js';
import { findEntities } from '../entities.js';
import { detectLanguage } from '../language.js';
import { sentencesOf, toPlainText } from '../plain-text.js';
import { type Readable, readableOf } from '../readable.js';
import { termsOf } from '../tags.js';
import { findAnomalies } from './anomalies.js';
import { documentQuality, type ReadText } from './document-quality.js';
import { extract } from './extract.js';

/** Characters of prose that are read for meaning; patterns are looked for in all of the text. */
const MAX_PROSE = 20_000;

/**
 * Reads a document by rules and statistics: the same document gives the same findings (on the same day: dates in the future are
 * anomalies). About 10 ms for 20 kB.
 */
export function analyzeDocument(document: SourceDocument, type: AnalysisType, now = new Date()): Findings<AnalysisType> {
  switch (type) {
    case 'FULL_ANALYSIS':
      return fullAnalysis(document, now);
    case 'QUALITY_CHECK': {
      const read = readText(document);
      return { language: read.language, quality: documentQuality(document, read) };
    }
    case 'DATA_EXTRACTION':
      return { extraction: extract(document.text) };
    case 'BATCH_ANALYSIS':
      return shortAnalysis(document);
  }
}

function fullAnalysis(document: SourceDocument, now: Date): Findings<'FULL_ANALYSIS'> {
  const read = readText(document);
  const extraction = extract(document.text);
  const meaning = meaningOf(document, read);
  const { people, places, organizations, money, dates } = findEntities(document.text.slice(0, MAX_PROSE), read.sentences, read.language);
  return {
    ...meaning,
    language: read.language,
    entities: { people, places, organizations, money, dates },
    extraction,
    quality: documentQuality(document, read),
    anomalies: findAnomalies({ text: document.text, extraction, category: meaning.classification.category, now }),
  };
}

function shortAnalysis(document: SourceDocument): Findings<'BATCH_ANALYSIS'> {
  const read = readText(document);
  return {
    ...meaningOf(document, read),
    language: read.language,
    keyFacts: keyFactsOf(extract(document.text)),
    quality: documentQuality(document, read),
  };
}

function meaningOf(document: SourceDocument, read: ReadText): Pick<Findings<'FULL_ANALYSIS'>, 'summary' | 'classification'> {
  const readable: Readable = readableOf(document.fields, { file: document.fileText.slice(0, MAX_PROSE) });
  const terms = termsOf(readable, read.plain, read.language);
  return { summary: describe(readable, read.sentences, terms), classification: categorize(terms) };
}

function readText({ text }: SourceDocument): ReadText {
  const plain = toPlainText(text.slice(0, MAX_PROSE));
  const sentences = sentencesOf(plain);
  const { language, confidence } = detectLanguage(sentences.join(' ') || plain);
  return { plain, sentences, language, languageConfidence: confidence };
}

const MAX_FACTS = 8;
const TELLING = /number|no\.?$|nr\.?$|total|amount|date|due|name|customer|supplier|party|from|to|subject|status|betrag|datum|kunde|nummer/i;

/** What is labelled in the document, the telling labels first; without labels its amounts and dates. */
function keyFactsOf({ keyValues, identifiers, amounts, dates }: Extraction): string[] {
  const telling = keyValues.filter(({ key }) => TELLING.test(key));
  const others = keyValues.filter(({ key }) => !TELLING.test(key));
  const facts = [
    ...telling.map(({ key, value }) => `${key}: ${value}`),
    ...identifiers.map(({ kind, value }) => `${kind}: ${value}`),
    ...others.map(({ key, value }) => `${key}: ${value}`),
    ...amounts.map(({ text }) => `amount: ${text}`),
    ...dates.map(({ text }) => `date: ${text}`),
  ];
  return [...new Set(facts)].slice(0, MAX_FACTS);
}
