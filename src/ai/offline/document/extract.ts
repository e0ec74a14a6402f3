import type { Extraction } from '../../document/analysis.js';
import { findAmounts } from './amounts.js';
import { findDates } from './dates.js';
import { findEmails, findIdentifiers, findPhones, findUrls } from './identifiers.js';
import { findTables } from './tables.js';

/** Of each kind; what a document holds beyond it is left out. */
const MAX_EACH = 50;

/** The fields of a document, by patterns. */
export function extract(text: string): Extraction {
  return {
    dates: findDates(text)
      .slice(0, MAX_EACH)
      .map(({ text, iso }) => ({ text, iso })),
    amounts: findAmounts(text).slice(0, MAX_EACH),
    emails: findEmails(text).slice(0, MAX_EACH),
    phones: findPhones(text).slice(0, MAX_EACH),
    urls: findUrls(text).slice(0, MAX_EACH),
    identifiers: findIdentifiers(text).slice(0, MAX_EACH),
    keyValues: findKeyValues(text).slice(0, MAX_EACH),
    tables: findTables(text),
  };
}

const KEY_VALUE = /^[ \t]{0,20}(?:[*-][ \t]{0,5})?(\p{L}[^\n:=|]{0,50})[:=][ \t]{1,20}(\S[^\n]{0,300})$/gmu;
const MAX_KEY_WORDS = 6;

/** Lines of the form "key: value". A key is short: "He said: no" in the middle of prose is none. */
export function findKeyValues(text: string): Extraction['keyValues'] {
  return [...text.matchAll(KEY_VALUE)]
    .map(([, key, value]) => ({ key: key!.trim(), value: value!.trim() }))
    .filter(({ key }) => key.split(/\s+/).length <= MAX_KEY_WORDS && !/[.!?]$/.test(key));
}
