import type { Extraction, Finding } from '../../document/analysis.js';
import type { MoneyReader } from './amounts.js';
import { allDates, findDates } from './dates.js';
import { findKeyValues } from './extract.js';
import { findBrokenIbans } from './identifiers.js';
import { oddShare, repeatedLines } from './oddities.js';

/** What the rules look at. */
export interface Evidence {
  text: string;
  extraction: Extraction;
  money: MoneyReader;
  category: string;
  now: Date;
}

const MAX_FINDINGS = 50;
const DAY_MS = 86_400_000;
/** Cents that may be lost in rounding. */
const TOLERANCE = 0.02;
/** Lines that speak of the future by nature. */
const FUTURE_BY_NATURE =
  /\b(?:due|expir\w*|valid|until|deadline|delivery|end|ends|next|renew\w*|terminat\w*|planned|scheduled|fällig\w*|gültig|bis|frist|lieferung|liefertermin)\b/i;

/** What does not fit in a document, the gravest first. */
export function findAnomalies(evidence: Evidence): Finding[] {
  const found = [
    ...impossibleDates(evidence),
    ...futureDates(evidence),
    ...dueBeforeIssued(evidence),
    ...wrongSums(evidence),
    ...wrongColumnSums(evidence),
    ...brokenIbans(evidence),
    ...missingParts(evidence),
    ...repeats(evidence),
    ...placeholders(evidence),
    ...oddCharacters(evidence),
  ];
  const rank = ['high', 'medium', 'low'];
  return found.sort((a, b) => rank.indexOf(a.severity) - rank.indexOf(b.severity)).slice(0, MAX_FINDINGS);
}

function impossibleDates({ text, now }: Evidence): Finding[] {
  return findDates(text, now)
    .filter(({ impossible }) => impossible)
    .map((date) => ({ kind: 'impossible-date', severity: 'high', message: `there is no day ${date.text}` }));
}

function futureDates({ text, now }: Evidence): Finding[] {
  const tomorrow = new Date(now.getTime() + DAY_MS).toISOString().slice(0, 10);
  const ahead = allDates(text, now).filter(({ iso }) => iso !== null && iso > tomorrow);
  let end = 0;
  const unexpected = text.split('\n').flatMap((line) => {
    end += line.length + 1;
    const count = ahead.findIndex(({ at }) => at >= end);
    const here = ahead.splice(0, count === -1 ? ahead.length : count);
    return here.length === 0 || FUTURE_BY_NATURE.test(line) ? [] : here;
  });
  return unexpected.map((date) => ({ kind: 'future-date', severity: 'medium', message: `${date.text} lies in the future` }));
}

function dueBeforeIssued({ extraction }: Evidence): Finding[] {
  const dateOf = (key: RegExp): string | undefined => {
    const value = extraction.keyValues.find((each) => key.test(each.key))?.value ?? '';
    return findDates(value)[0]?.iso ?? undefined;
  };
  const issued = dateOf(/^(?:invoice |issue |document )?date$|^issued|^rechnungsdatum|^datum/i);
  const due = dateOf(/^due|^payable|^fällig|^zahlbar/i);
  if (!issued || !due || due >= issued) return [];
  return [{ kind: 'dates-out-of-order', severity: 'medium', message: `due on ${due}, before it was issued on ${issued}` }];
}

const NET = /^(?:sub-?total|net(?: amount| total)?|netto(?:betrag)?|zwischensumme)\b/i;
const TAX = /^(?:vat|tax|sales tax|gst|mwst|ust|mehrwertsteuer|umsatzsteuer)\b/i;
const TOTAL = /^(?:grand |invoice )?(?:total|amount due|gesamt(?:betrag)?|brutto(?:betrag)?|summe|rechnungsbetrag|gross)\b/i;

function wrongSums(evidence: Evidence): Finding[] {
  const [net, tax, total] = [labelled(evidence, NET), labelled(evidence, TAX), labelled(evidence, TOTAL)];
  if (net === undefined || tax === undefined || total === undefined || Math.abs(net + tax - total) <= TOLERANCE) return [];
  const message = `${net.toFixed(2)} and ${tax.toFixed(2)} make ${(net + tax).toFixed(2)}, but the total says ${total.toFixed(2)}`;
  return [{ kind: 'wrong-total', severity: 'high', message }];
}

/** The amount at the end of the line with that label, "VAT 19 %: 19.00 EUR"; undefined as well when it is not sure. */
function labelled({ text, money }: Evidence, label: RegExp): number | undefined {
  const { value = '' } = findKeyValues(text).find(({ key, value }) => label.test(key) && /\d/.test(value)) ?? {};
  return money.numbersIn(value).at(-1)?.value ?? undefined;
}

const SUMMED = /^(?:(?:line )?total|amount|betrag|sum|summe|gesamt)\b/i;

/** A table's column of amounts is expected to make the net or the whole total. */
function wrongColumnSums(evidence: Evidence): Finding[] {
  const { extraction, money } = evidence;
  const expected = [labelled(evidence, NET), labelled(evidence, TOTAL)].filter((value) => value !== undefined);
  if (expected.length === 0) return [];
  return extraction.tables.flatMap(({ name, columns, rows, rowCount }): Finding[] => {
    const column = columns.findIndex((each) => SUMMED.test(each));
    const values = rows.flatMap((row) => onlyNumber(money, row[column] ?? '') ?? []);
    if (column < 0 || rowCount > rows.length || values.length < rows.length) return [];
    const sum = values.reduce((total, value) => total + value, 0);
    if (expected.some((value) => Math.abs(value - sum) <= TOLERANCE)) return [];
    const of = name === '' ? '' : ` of ${name}`;
    return [
      { kind: 'wrong-sum', severity: 'medium', message: `the column ${columns[column]}${of} makes ${sum.toFixed(2)}, which is no total` },
    ];
  });
}

function onlyNumber(money: MoneyReader, cell: string): number | undefined {
  const [number, another] = money.numbersIn(cell);
  return another ? undefined : (number?.value ?? undefined);
}

function brokenIbans({ text }: Evidence): Finding[] {
  return findBrokenIbans(text).map((iban) => ({ kind: 'broken-iban', severity: 'high', message: `the check number of ${iban} is wrong` }));
}

/** What a document of a category is expected to have. */
const EXPECTED: Record<string, { part: string; isThere: (evidence: Evidence) => boolean }[]> = {
  invoice: [
    { part: 'a number', isThere: ({ extraction }) => extraction.identifiers.some(({ kind }) => /invoice|rechnung/.test(kind)) },
    { part: 'a date', isThere: ({ extraction }) => extraction.dates.length > 0 },
    { part: 'a total', isThere: ({ text }) => findKeyValues(text).some(({ key, value }) => TOTAL.test(key) && /\d/.test(value)) },
  ],
  contract: [
    { part: 'a date', isThere: ({ extraction }) => extraction.dates.length > 0 },
    { part: 'a signature', isThere: ({ text }) => /\b(?:signed|signature|unterschrift|unterzeichnet)\b/i.test(text) },
  ],
};

function missingParts(evidence: Evidence): Finding[] {
  const { category } = evidence;
  return (EXPECTED[category] ?? [])
    .filter(({ isThere }) => !isThere(evidence))
    .map(({ part }) => ({
      kind: 'missing-part',
      severity: 'medium',
      message: `it reads like a document of the kind "${category}" and lacks ${part}`,
    }));
}

function repeats({ text }: Evidence): Finding[] {
  return repeatedLines(text)
    .slice(0, 5)
    .map(({ line, times }) => ({ kind: 'repeated-line', severity: 'low', message: `stands there ${times} times: ${line.slice(0, 80)}` }));
}

function placeholders({ text }: Evidence): Finding[] {
  const found = new Set(text.match(/\blorem ipsum\b|\bTBD\b|\bX{3,10}\b|\{\{[^{}\n]{1,40}\}\}|\[(?:insert|name|date)[^\]\n]{0,40}\]/gi));
  return [...found].slice(0, 5).map((each) => ({ kind: 'placeholder', severity: 'low', message: `${each} was never filled in` }));
}

function oddCharacters({ text }: Evidence): Finding[] {
  const share = oddShare(text);
  if (share < 0.002) return [];
  const message = `${(100 * share).toFixed(1)} % of its characters are broken: it was read in the wrong encoding`;
  return [{ kind: 'odd-characters', severity: share > 0.02 ? 'high' : 'medium', message }];
}
