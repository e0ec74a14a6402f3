import type { Extraction } from '../../document/analysis.js';
import type { SourceDocument } from '../../document/source-document.js';
import { findAmounts } from './amounts.js';
import { findDates } from './dates.js';
import { findEmails, findIdentifiers, findPhones, findUrls } from './identifiers.js';
import { findSheetTables, type SheetTables } from './sheet-tables.js';
import { findTables, MAX_TABLES } from './tables.js';

/** Of each kind; what a document holds beyond it is left out. */
const MAX_EACH = 50;

/** The fields of a document, by patterns. */
export function extract(document: SourceDocument): Extraction {
  const { text } = document;
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
    tables: tablesIn(document).tables,
  };
}

/** Of a workbook those of its sheets, cell by cell: as text they would lose what has tabs and line breaks in it. */
export function tablesIn({ text, fieldText, sheets }: SourceDocument): SheetTables {
  if (!sheets) return { tables: findTables(text), warnings: [] };
  const { tables, warnings } = findSheetTables(sheets);
  return { tables: [...findTables(fieldText), ...tables].slice(0, MAX_TABLES), warnings };
}

const KEY_VALUE = /^[ \t]{0,20}(?:[*-][ \t]{0,5})?(\p{L}[^\n:=|]{0,50})[:=][ \t]{1,20}(\S[^\n]{0,300})$/gmu;
const MAX_KEY_WORDS = 6;

/** Lines of the form "key: value". A key is short: "He said: no" in the middle of prose is none. */
export function findKeyValues(text: string): Extraction['keyValues'] {
  return [...text.matchAll(KEY_VALUE)]
    .map(([, key, value]) => ({ key: key!.trim(), value: value!.trim() }))
    .filter(({ key }) => key.split(/\s+/).length <= MAX_KEY_WORDS && !/[.!?]$/.test(key));
}
