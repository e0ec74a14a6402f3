import nlp from 'compromise/three';
import { findAmounts } from './document/amounts.js';

/** What a text names, each at most ten times, in the order of mention. */
export interface Entities {
  people: string[];
  places: string[];
  organizations: string[];
  money: string[];
  dates: string[];
  emails: string[];
  urls: string[];
  versions: string[];
}

const MAX_EACH = 10;
/** Reading grammar costs some 2 ms a thousand characters, more than all the rest: only the sentences with most names are read. */
const MAX_READ = 350;

const EMAIL = /[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,3}\.(?!png|jpe?g|gif|svg)[a-z]{2,24}\b/gi;
const URL = /https?:\/\/[^\s<>()[\]"'`|\\]{3,300}/gi;
const VERSION = /\bv?\d{1,4}\.\d{1,4}\.\d{1,6}(?:-[a-z0-9.]{1,30})?\b/gi;
const ISO_DATE = /\b(?:19|20)\d\d-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])\b/g;
/** A capital after a small letter, an amount, a month: what a sentence without names does not have. */
const MAY_NAME =
  /(?<=[\p{Ll},;:] )\p{Lu}[\p{L}\p{N}&.-]+|[$€£¥]\s?\d|\b(?:January|February|March|April|May|June|July|August|September|October|November|December) \d/gu;
const COMPANY = /(?:\p{Lu}[\p{L}\p{N}&.-]{1,40} ){1,4}(?:Inc|Ltd|LLC|GmbH|AG|SE|Corp|Corporation|Foundation|Bank|S\.A)\b/gu;
/** Pictures and badges, which stand at the head of every README. */
const PICTURE = /\.(?:svg|png|gif|jpe?g|webp|ico)\b|badge|shields\.io|avatars/i;

/**
 * @param raw the text with its markup, for addresses
 * @param sentences its prose; read for names when it is English, the only language whose grammar is known here
 */
export function findEntities(raw: string, sentences: string[], language: string): Entities {
  const prose = sentences.join(' ');
  const named = language === 'en' ? findNames(sentences) : NOBODY;
  return {
    people: named.people,
    places: named.places,
    organizations: distinct([...names(prose.match(COMPANY) ?? []), ...named.organizations]),
    money: distinct([...amountsIn(sentences), ...named.money]),
    dates: distinct([...(prose.match(ISO_DATE) ?? []), ...named.dates]),
    emails: distinct(raw.match(EMAIL) ?? []),
    urls: distinct((raw.match(URL) ?? []).filter((url) => !PICTURE.test(url)).map((url) => url.replace(/[.,;:!?*_]+$/, ''))),
    versions: distinct(prose.match(VERSION) ?? []),
  };
}

/** Sentence by sentence: a number at the end of one is not the currency's at the beginning of the next. */
function amountsIn(sentences: string[]): string[] {
  return findAmounts(sentences.filter((sentence) => /\d/.test(sentence)).join('\n')).map(({ text }) => text);
}

type Named = Pick<Entities, 'people' | 'places' | 'organizations' | 'money' | 'dates'>;

const NOBODY: Named = { people: [], places: [], organizations: [], money: [], dates: [] };

function findNames(sentences: string[]): Named {
  const text = mostNames(sentences);
  if (text === '') return NOBODY;
  const document = nlp(text);
  return {
    people: distinct(names(document.people().out('array') as string[])),
    places: distinct(names(document.places().out('array') as string[])),
    organizations: names(document.organizations().out('array') as string[]),
    // In words only: of figures the grammar knows one way of writing.
    money: clean(document.money().out('array') as string[]).filter((amount) => !/\d/.test(amount)),
    dates: clean(document.match('#Date+').out('array') as string[]).filter((date) => /\d/.test(date)),
  };
}

function mostNames(sentences: string[]): string {
  return sentences
    .map((sentence) => ({ sentence, names: sentence.match(MAY_NAME)?.length ?? 0 }))
    .filter(({ names }) => names > 0)
    .sort((a, b) => b.names - a.names)
    .reduce((text, { sentence }) => (text.length + sentence.length < MAX_READ || text === '' ? `${text} ${sentence}` : text), '')
    .slice(0, MAX_READ);
}

/** A name is written with a capital and is short; the grammar also finds "jack" in "jack of all trades". */
function names(found: string[]): string[] {
  return clean(found).filter((name) => /^\p{Lu}/u.test(name) && name.split(' ').length <= 5 && !name.includes(' - '));
}

function clean(found: string[]): string[] {
  return found
    .map((name) => name.replace(/^[\s("'[]+|['’]s$|[\s,.;:!?)"'\]]+$/g, ''))
    .filter((name) => name.length > 1 && name.length <= 100);
}

/** Each once, and none that is only a part of another: "$20" beside "$20 million". */
function distinct(values: string[]): string[] {
  const each = [...new Set(values)].slice(0, 5 * MAX_EACH);
  return each.filter((value) => !each.some((other) => other !== value && other.startsWith(`${value} `))).slice(0, MAX_EACH);
}
