import { hide, spanOf, toPlainCharacters } from './plain-characters.js';

export interface Identifier {
  kind: string;
  value: string;
}

const EMAIL = /(?<![\w.%+-])[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,3}\.[a-z]{2,24}\b/gi;
const URL = /https?:\/\/[^\s<>()[\]"'`|\\]{3,300}/gi;
/** With a plus or a zero in front, or after its label: any other row of digits may be anything. */
const PHONE =
  /(?<![\w.+/-])(?:\+\d{1,3}|\(0\d{1,5}\)|0\d{1,5}(?=[ /-]))[\d ()/-]{5,18}\d(?![\w-])|(?<=\b(?:tel|telephone|telefon|phone|fax|mobile|mobil)\.?:? {0,3})[\d(][\d ()/.-]{5,18}\d(?!\w)/gi;
const IBAN = /\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?(?=[A-Z]{0,2}\d)[A-Z0-9]{1,3})?\b/g;
const VAT_NUMBER = /\b(?:DE\d{9}|ATU\d{8}|FR[A-Z0-9]{2}\d{9}|IT\d{11}|ES[A-Z0-9]\d{7}[A-Z0-9]|NL\d{9}B\d{2}|BE0?\d{9}|PL\d{10}|GB\d{9})\b/g;
const UUID = /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi;
const LABELLED =
  /\b(invoice|order|customer|contract|policy|reference|ticket|case|account|document|rechnungs?|kunden|bestell|auftrags|vertrags)[ _-]{0,2}(?:no|nr|number|nummer|id|num|#)\.?[ \t]{0,3}[:#=]?[ \t]{0,3}([A-Z0-9][A-Z0-9/_.-]{0,40}[A-Z0-9]|\d)/gi;

/** What may be the number of anything. */
const NUMBERED = /(?<![\p{L}\d])(?:no|nr|num|n[°º])\.? ?[:#]? ?\d[\d/_-]*(?![\d.,])|#\d+/giu;
/** "+100 000 000 EUR" is no telephone number. */
const MONEY_FOLLOWS = / ?(?:[$€£¥]|[A-Z]{3}(?!\p{L}))/uy;

/** The text with its addresses and numbers of other things hidden: no part of one is taken for an amount. */
export function hideIdentifiers(text: string): string {
  const plain = toPlainCharacters(text);
  const found = [EMAIL, URL, UUID, IBAN, VAT_NUMBER, NUMBERED].flatMap((pattern) => [...plain.matchAll(pattern)]);
  const labelled = [...plain.matchAll(LABELLED)].filter(([, , value]) => /\d/.test(value!));
  const phones = [...plain.matchAll(PHONE)].filter((match) => isPhone(match) && !isAmount(plain, match));
  return hide(text, [...found, ...labelled, ...phones].map(spanOf));
}

function isAmount(text: string, { 0: phone, index }: RegExpExecArray): boolean {
  MONEY_FOLLOWS.lastIndex = index + phone.length;
  return phone.startsWith('+') && MONEY_FOLLOWS.test(text);
}

export function findEmails(text: string): string[] {
  return distinct(text.match(EMAIL));
}

export function findUrls(text: string): string[] {
  return distinct(text.match(URL)?.map((url) => url.replace(/[.,;:!?*_]+$/, '')));
}

export function findPhones(text: string): string[] {
  const others = toPlainCharacters(text).replace(IBAN, (iban) => '_'.repeat(iban.length));
  const phones = [...others.matchAll(PHONE)].filter(isPhone);
  return distinct(phones.map(({ 0: { length }, index }) => text.slice(index, index + length).trim()));
}

function isPhone([phone]: RegExpMatchArray): boolean {
  const digits = phone.replace(/\D/g, '').length;
  return digits >= 7 && digits <= 15;
}

export function findIdentifiers(written: string): Identifier[] {
  const text = toPlainCharacters(written);
  const labelled = [...text.matchAll(LABELLED)].filter(([, , value]) => /\d/.test(value!));
  const found = [
    ...labelled.map(([, kind, value]): Identifier => ({ kind: `${kind!.toLowerCase()} number`, value: value! })),
    ...(text.match(IBAN) ?? []).filter(isIban).map((value): Identifier => ({ kind: 'IBAN', value: compact(value) })),
    ...(text.match(VAT_NUMBER) ?? []).map((value): Identifier => ({ kind: 'VAT number', value })),
    ...(text.match(UUID) ?? []).map((value): Identifier => ({ kind: 'UUID', value })),
  ];
  return [...new Map(found.map((each) => [`${each.kind} ${each.value}`, each])).values()];
}

/** What calls itself an IBAN and has a wrong check number. */
export function findBrokenIbans(text: string): string[] {
  return distinct(
    [...toPlainCharacters(text).matchAll(/\bIBAN[ \t]{0,3}:?[ \t]{0,3}([A-Z]{2}\d{2}[A-Z0-9 ]{10,38})/g)].map(([, value]) => value!.trim()),
  ).filter((value) => !isIban(value) && !(value.match(IBAN) ?? []).some(isIban));
}

/** The check of ISO 13616: modulo 97 of the rearranged number is 1. */
function isIban(value: string): boolean {
  const iban = compact(value);
  if (iban.length < 15 || iban.length > 34) return false;
  let rest = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) rest = Number(`${rest}${parseInt(character, 36)}`) % 97;
  return rest === 1;
}

function compact(value: string): string {
  return value.replace(/\s/g, '');
}

function distinct(values: Iterable<string> | null | undefined): string[] {
  return [...new Set(values ?? [])];
}
