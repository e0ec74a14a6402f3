/** What a sign or code of money may mean, and where it stands beside its number. */
export interface Currency {
  /** ISO 4217. The first one is meant unless the document names another of them. */
  codes: string[];
  /** No country writes it on the other side; undefined: both are usual. */
  side?: 'before' | 'after';
  /** Without a sign of the country in the document nobody can tell which it is. */
  needsMention?: true;
  /** A word or a letter of another meaning as well: only beside a number with two decimals. */
  isWord?: true;
}

const DOLLARS = ['USD', 'CAD', 'AUD', 'NZD', 'SGD', 'HKD', 'MXN', 'TWD', 'BBD', 'BSD', 'JMD', 'FJD', 'COP', 'CLP', 'ARS'];
const CROWNS = ['SEK', 'NOK', 'DKK', 'ISK'];

const before = (...codes: string[]): Currency => ({ codes, side: 'before' });
const after = (...codes: string[]): Currency => ({ codes, side: 'after' });
const crowns: Currency = { codes: CROWNS, needsMention: true };
const rupees: Currency = { codes: ['INR', 'PKR', 'LKR', 'NPR'], side: 'before', needsMention: true };

const SIGNS: Record<string, Currency> = {
  '€': { codes: ['EUR'] },
  $: before(...DOLLARS),
  '£': before('GBP'),
  '¥': before('JPY', 'CNY'),
  '₹': before('INR'),
  '₽': { codes: ['RUB'] },
  '₴': { codes: ['UAH'] },
  '₺': { codes: ['TRY'] },
  '₩': before('KRW'),
  '₫': after('VND'),
  '₪': { codes: ['ILS'] },
  '฿': { codes: ['THB'] },
  '₦': before('NGN'),
  '₱': before('PHP'),
  '₡': before('CRC'),
  '₵': before('GHS'),
  '₸': { codes: ['KZT'] },
  US$: before('USD'),
  A$: before('AUD'),
  AU$: before('AUD'),
  C$: before('CAD'),
  CA$: before('CAD'),
  NZ$: before('NZD'),
  HK$: before('HKD'),
  S$: before('SGD'),
  NT$: before('TWD'),
  MX$: before('MXN'),
  R$: before('BRL'),
  R: { codes: ['ZAR'], side: 'before', isWord: true },
  'E£': before('EGP'),
  '₲': before('PYG'),
  '₭': { codes: ['LAK'] },
  '₮': { codes: ['MNT'] },
  '₼': { codes: ['AZN'] },
  '₾': { codes: ['GEL'] },
  '៛': { codes: ['KHR'] },
  '৳': { codes: ['BDT'] },
  '֏': { codes: ['AMD'] },
  '₨': rupees,
  FCFA: { codes: ['XOF', 'XAF'], needsMention: true },
  kr: crowns,
  'kr.': crowns,
  Kr: crowns,
  'Kr.': crowns,
  zł: after('PLN'),
  Zł: after('PLN'),
  zl: after('PLN'),
  Kč: after('CZK'),
  'Fr.': before('CHF'),
  'SFr.': before('CHF'),
  'sFr.': before('CHF'),
  SFr: before('CHF'),
  Ft: after('HUF'),
  lei: after('RON'),
  Lei: after('RON'),
  LEI: after('RON'),
  TL: after('TRY'),
  лв: after('BGN'),
  'лв.': after('BGN'),
  руб: after('RUB'),
  'руб.': after('RUB'),
  рублей: after('RUB'),
  'р.': after('RUB'),
  грн: after('UAH'),
  'грн.': after('UAH'),
  Rs: rupees,
  'Rs.': rupees,
  Rp: before('IDR'),
  RM: before('MYR'),
  円: after('JPY'),
  元: after('CNY', 'TWD'),
  원: after('KRW'),
  Euro: after('EUR'),
  Euros: after('EUR'),
  euro: after('EUR'),
  euros: after('EUR'),
  dollars: after(...DOLLARS),
  'US dollars': after('USD'),
};

/** Codes that are words of headings in capitals as well. */
const WORDS = new Set([
  'ALL',
  'BAM',
  'BOB',
  'COP',
  'CUP',
  'DOP',
  'ERN',
  'GEL',
  'GIP',
  'MAD',
  'MOP',
  'NAD',
  'PEN',
  'RON',
  'SOS',
  'TOP',
  'TRY',
]);
/** KGS are kilograms wherever goods are sent. */
const CODES = Intl.supportedValuesOf('currency').filter((code) => code !== 'KGS');

const CURRENCIES = new Map<string, Currency>([
  ...CODES.map((code): [string, Currency] => [code, { codes: [code], ...(WORDS.has(code) && { isWord: true as const }) }]),
  ...Object.entries(SIGNS),
]);

const LONGEST_FIRST = [...CURRENCIES.keys()].sort((a, b) => b.length - a.length);
/** Most characters of a text begin no sign: to try all of them there would take thirty times as long. */
const BEGINNINGS = [...new Set(LONGEST_FIRST.map((sign) => sign[0]))].join('');

/** Matches a sign or code where it is not a part of a word; the longest first. */
export const CURRENCY_PATTERN = `(?=[${BEGINNINGS}])(?:${LONGEST_FIRST.map(patternOf).join('|')})`;

function patternOf(sign: string): string {
  const text = sign.replace(/[$.]/g, '\\$&');
  return `${/^\p{L}/u.test(sign) ? '(?<![\\p{L}_])' : ''}${text}${/\p{L}$/u.test(sign) ? '(?![\\p{L}_])' : ''}`;
}

export function currencyOf(sign: string): Currency {
  return CURRENCIES.get(sign)!;
}

/** The one code that two signs beside one amount agree in: "$5 CAD". */
export function sharedCode(a: Currency, b: Currency): string | undefined {
  const shared = a.codes.filter((code) => b.codes.includes(code));
  return shared.length === 1 ? shared[0] : undefined;
}

const WITH_COMMA = new Set(
  'EUR SEK NOK DKK PLN CZK HUF RON BGN TRY RUB UAH BRL IDR VND ARS CLP COP PYG UYU ISK RSD MAD DZD TND AOA MZN KZT BYN ZAR'.split(' '),
);

/** Whether those who use the currency write a decimal point, so that 1,250 is a thousand and more. */
export function hasPoint(code: string): boolean {
  return !WITH_COMMA.has(code);
}

/** Digits behind the decimal mark: 2, 0 of the yen, 3 of the dinar. */
export function minorDigits(code: string): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency: code }).resolvedOptions().maximumFractionDigits ?? 2;
}
