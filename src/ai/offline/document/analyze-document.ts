import type { AnalysisType, Extraction, Findings } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { categorize } from '../category.js';
import { describe } from '../description.js';
import { findEntities } from '../entities.js';
import { detectLanguage } from '../language.js';
import { sentencesOf, toPlainText } from '../plain-text.js';
import { type Readable, readableOf } from '../readable.js';
import { termsOf } from '../tags.js';
import { MoneyReader } from './amounts.js';
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
      const prose = read(document);
      return { language: prose.language, quality: documentQuality(document, prose) };
    }
    case 'DATA_EXTRACTION':
      return { extraction: extract(document) };
    case 'BATCH_ANALYSIS':
      return shortAnalysis(document);
  }
}

function fullAnalysis(document: SourceDocument, now: Date): Findings<'FULL_ANALYSIS'> {
  const prose = read(document);
  const reader = new MoneyReader(document.text);
  const extraction = extract(document, reader);
  const meaning = meaningOf(prose);
  const { people, places, organizations, money, dates } = findEntities(document.text.slice(0, MAX_PROSE), prose.sentences, prose.language);
  return {
    ...meaning,
    language: prose.language,
    entities: { people, places, organizations, money, dates },
    extraction,
    quality: documentQuality(document, prose),
    anomalies: findAnomalies({ text: document.text, extraction, money: reader, category: meaning.classification.category, now }),
  };
}

function shortAnalysis(document: SourceDocument): Findings<'BATCH_ANALYSIS'> {
  const prose = read(document);
  return {
    ...meaningOf(prose),
    language: prose.language,
    keyFacts: keyFactsOf(extract(document)),
    quality: documentQuality(document, prose),
  };
}

function meaningOf(prose: ReadDocument): Pick<Findings<'FULL_ANALYSIS'>, 'summary' | 'classification'> {
  const terms = termsOf(prose.readable, prose.plain, prose.language);
  return { summary: describe(prose.readable, prose.sentences, terms), classification: categorize(terms) };
}

interface ReadDocument extends ReadText {
  readable: Readable;
}

function read({ fields, fileText }: SourceDocument): ReadDocument {
  const readable = readableOf(fields, { file: fileText.slice(0, MAX_PROSE) });
  const plain = toPlainText(readable.body);
  const sentences = sentencesOf(plain);
  const { language, confidence } = detectLanguage(sentences.join(' ') || plain);
  return { readable, plain, sentences, language, languageConfidence: confidence };
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
  const first = (fact: string, index: number): boolean => facts.findIndex((other) => other.toLowerCase() === fact.toLowerCase()) === index;
  return facts.filter(first).slice(0, MAX_FACTS);
}
