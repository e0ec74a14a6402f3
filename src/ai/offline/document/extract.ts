import type { Extraction } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { MoneyReader } from './amounts.js';
import { findDates } from './dates.js';
import { findEmails, findIdentifiers, findPhones, findUrls } from './identifiers.js';
import { toPlainCharacters } from './plain-characters.js';
import { findSheetTables, type SheetTables } from './sheet-tables.js';
import { findTables, MAX_TABLES } from './tables.js';

/** Of each kind; what a document holds beyond it is left out. */
const MAX_EACH = 50;
/** Doubts of each kind that are told. */
const MAX_DOUBTS = 10;

/** The fields of a document, by patterns. */
export function extract(document: SourceDocument, money = new MoneyReader(document.text)): Extraction {
  const { text } = document;
  return {
    dates: findDates(text)
      .slice(0, MAX_EACH)
      .map(({ text, iso }) => ({ text, iso })),
    amounts: money
      .amounts()
      .slice(0, MAX_EACH)
      .map(({ text, value, currency }) => ({ text, value, currency })),
    emails: findEmails(text).slice(0, MAX_EACH),
    phones: findPhones(text).slice(0, MAX_EACH),
    urls: findUrls(text).slice(0, MAX_EACH),
    identifiers: findIdentifiers(text).slice(0, MAX_EACH),
    keyValues: findKeyValues(text).slice(0, MAX_EACH),
    tables: tablesIn(document).tables,
  };
}

/** Of a workbook those of its sheets, cell by cell: as text they would lose what has tabs and line breaks in it. */
export function tablesIn({ text, fieldText, sheets }: SourceDocument): SheetTables {
  if (!sheets) return { tables: findTables(text), warnings: [] };
  const { tables, warnings } = findSheetTables(sheets);
  return { tables: [...findTables(fieldText), ...tables].slice(0, MAX_TABLES), warnings };
}

/** What of a document's fields is not sure, and what was left out. */
export function extractionWarnings(document: SourceDocument): string[] {
  const { text } = document;
  const found = {
    amounts: new MoneyReader(text).amounts(),
    dates: findDates(text),
    'e-mail addresses': findEmails(text),
    'telephone numbers': findPhones(text),
    addresses: findUrls(text),
    identifiers: findIdentifiers(text),
    'labelled values': findKeyValues(text),
  };
  const omitted = Object.entries(found)
    .filter(([, all]) => all.length > MAX_EACH)
    .map(([kind, all]) => `extraction lists the first ${MAX_EACH} of ${all.length} ${kind}`);
  return [...doubts('amount', found.amounts), ...doubts('date', found.dates), ...omitted, ...tablesIn(document).warnings];
}

function doubts(kind: string, found: { text: string; doubt?: string }[]): string[] {
  const unsure = found.slice(0, MAX_EACH).filter(({ doubt }) => doubt !== undefined);
  const told = unsure.slice(0, MAX_DOUBTS).map(({ text, doubt }) => `the ${kind} "${text}" is not sure: ${doubt}`);
  return unsure.length > MAX_DOUBTS ? [...told, `${unsure.length - MAX_DOUBTS} more ${kind}s are not sure`] : told;
}

const KEY_VALUE = /^[ \t]{0,20}(?:[*-][ \t]{0,5})?(\p{L}[^\n:=|]{0,50})[:=][ \t]{1,20}(\S[^\n]{0,300})$/dgmu;
const MAX_KEY_WORDS = 6;

/** Lines of the form "key: value". A key is short: "He said: no" in the middle of prose is none. */
export function findKeyValues(text: string): Extraction['keyValues'] {
  return [...toPlainCharacters(text).matchAll(KEY_VALUE)]
    .map(({ indices }) => ({ key: text.slice(...indices![1]!).trim(), value: text.slice(...indices![2]!).trim() }))
    .filter(({ key }) => key.split(/\s+/).length <= MAX_KEY_WORDS && !/[.!?]$/.test(key));
}
