import type { Terms } from './tags.js';

/** Words that speak for a category. A word in two of them speaks for both. */
const CATEGORIES: Record<string, string> = {
  invoice: 'invoice invoices billing payment payable due vat tax subtotal amount receipt remittance iban',
  order: 'order orders purchase shipping shipped delivery cart checkout tracking parcel warehouse quantity',
  contract: 'contract agreement party parties clause termination liability confidentiality signed obligations law governing warranty',
  support: 'ticket complaint refund support customer broken problem help replacement dissatisfied escalate agent reply',
  finance: 'revenue profit budget quarter forecast investment shares equity earnings cash fiscal balance audit bank',
  people: 'employee candidate hiring salary resume vacancy interview recruitment onboarding vacation team training skills',
  marketing: 'campaign brand audience newsletter promotion discount customers launch market sales advertising social',
  product: 'product price size colour color material features weight warranty model brand stock catalog',
  meeting: 'meeting agenda minutes attendees action decided discussed deadline participants notes',
  'web-server':
    'server http request response middleware router routing express fastify web rest api framework session cookie endpoint nest',
  database:
    'database sql query postgres postgresql mysql sqlite mongodb redis orm schema migration table driver transaction index client connection pool cluster replica pipeline key',
  testing: 'test tests testing jest mocha assertion assert mock spy coverage matcher expect snapshot fixture suite runner',
  'build-tools':
    'build compiler compile bundler webpack babel transform plugin loader typescript transpile minify sourcemap rollup swc lint eslint ast',
  parsing: 'parse parser parsing json yaml csv xml markdown token tokenizer grammar syntax serialize stringify format encode decode',
  security:
    'security crypto encrypt hash password token jwt oauth authentication signature certificate tls secret permission vulnerability',
  'command-line': 'cli command terminal console prompt argv shell stdout stdin color colors ansi spinner progress bash',
  files: 'file filesystem directory path glob folder watch watcher stat archive zip gzip tar stream',
  async: 'promise promises async await callback concurrency queue worker event events emitter stream streams observable scheduler',
  'data-structures': 'array object map collection iterator clone merge deep equal sort tree cache lru buffer utility lodash immutable',
  'network-client': 'socket websocket proxy tcp dns fetch client connection agent network protocol download upload',
  types: 'types definitions typescript typings declaration interface generic definitelytyped',
  'user-interface': 'react component css browser dom html render ui style frontend widget layout',
  logging: 'log logger logging debug trace metrics monitoring prometheus level',
  language: 'language locale unicode translation i18n nlp words text stemming string strings case',
};

const WORDS = new Map<string, string[]>();
for (const [category, words] of Object.entries(CATEGORIES)) {
  for (const word of new Set(words.split(' '))) WORDS.set(word, [...(WORDS.get(word) ?? []), category]);
}

/** A heavier word counts no more than this: one favourite word is no category. */
const MAX_WEIGHT = 8;
const MIN_SCORE = 5;

export interface Category {
  category: string;
  /** 0 to 1: how far it is ahead of the next one, and how much speaks for it at all. */
  confidence: number;
}

/** The category that most of a text's words speak for; `other` when hardly any do. */
export function categorize(terms: Terms): Category {
  const scores = new Map<string, number>();
  for (const [word, weight] of terms) {
    // A word that speaks for several speaks less for each.
    const speaksFor = WORDS.get(word) ?? [];
    for (const category of speaksFor) {
      scores.set(category, (scores.get(category) ?? 0) + Math.min(MAX_WEIGHT, weight) / Math.sqrt(speaksFor.length));
    }
  }
  const [best, next] = [...scores].sort(([, first], [, second]) => second - first);
  if (!best || best[1] < MIN_SCORE) return { category: 'other', confidence: 0 };
  const lead = best[1] / (best[1] + (next?.[1] ?? 0));
  return { category: best[0], confidence: Math.round(lead * Math.min(1, best[1] / 20) * 100) / 100 };
}
