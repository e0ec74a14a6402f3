import { toSourceDocument } from '../../src/ai/document/source-document.js';
import { findAmounts, MoneyReader } from '../../src/ai/offline/document/amounts.js';
import { findDates } from '../../src/ai/offline/document/dates.js';
import { extractionWarnings } from '../../src/ai/offline/document/extract.js';

const NB = '\u00a0';
const NARROW = '\u202f';
const THIN = '\u2009';
const FIGURE = '\u2007';
const MINUS = '\u2212';

type Expected = [text: string, value: number | null, currency: string | null];

/** A snippet, and all that it says of money: null where nobody can tell. */
const SNIPPETS: [locale: string, snippet: string, amounts: Expected[]][] = [
  ['fr', `Total : 1${NB}234,56 €`, [[`1${NB}234,56 €`, 1234.56, 'EUR']]],
  ['fr', `Total : 1${NARROW}234,56${NB}€`, [[`1${NARROW}234,56${NB}€`, 1234.56, 'EUR']]],
  ['fr', 'Montant à payer : 1 234 567,89 EUR', [['1 234 567,89 EUR', 1234567.89, 'EUR']]],
  [
    'fr',
    'Chaise 2 499,00 € 998,00 €',
    [
      ['499,00 €', 499, 'EUR'],
      ['998,00 €', 998, 'EUR'],
    ],
  ],
  [
    'fr',
    'Table 3 1 250,00 € 3 750,00 €',
    [
      ['1 250,00 €', 1250, 'EUR'],
      ['3 750,00 €', 3750, 'EUR'],
    ],
  ],
  [
    'fr',
    'Lampe 7 120,00 € ou 90,00 €',
    [
      ['7 120,00 €', null, 'EUR'],
      ['90,00 €', 90, 'EUR'],
    ],
  ],
  ['fr', '35€99', [['35€99', null, 'EUR']]],
  ['de', 'Gesamtbetrag: 1.234,56 EUR', [['1.234,56 EUR', 1234.56, 'EUR']]],
  ['de', 'Preis 45,- €', [['45,- €', 45, 'EUR']]],
  ['de', '45,-- EUR', [['45,-- EUR', 45, 'EUR']]],
  [
    'de',
    'Zwei Posten: 1.250 € und 12,50 €',
    [
      ['1.250 €', 1250, 'EUR'],
      ['12,50 €', 12.5, 'EUR'],
    ],
  ],
  ['de', 'Fernseher 1.198,- €', [['1.198,- €', 1198, 'EUR']]],
  [
    'de',
    'Umsatz 1,5 Mio. EUR, Gewinn 300 Tsd. EUR',
    [
      ['1,5 Mio. EUR', 1_500_000, 'EUR'],
      ['300 Tsd. EUR', 300_000, 'EUR'],
    ],
  ],
  ['de', 'Saldo 45,00- EUR', [['45,00- EUR', -45, 'EUR']]],
  ['de-at', `€ 1${THIN}234,50`, [[`€ 1${THIN}234,50`, 1234.5, 'EUR']]],
  ['de-ch', "CHF 1'234.50", [["CHF 1'234.50", 1234.5, 'CHF']]],
  ['de-ch', 'Fr. 1’234.50', [['Fr. 1’234.50', 1234.5, 'CHF']]],
  [
    'de-ch',
    'CHF 45.- und CHF 45.–',
    [
      ['CHF 45.-', 45, 'CHF'],
      ['CHF 45.–', 45, 'CHF'],
    ],
  ],
  ['en', 'Refund: -$45.00', [['-$45.00', -45, 'USD']]],
  ['en', 'Refund: $-45', [['$-45', -45, 'USD']]],
  ['en', 'Refund ($45.00)', [['($45.00)', -45, 'USD']]],
  ['en', 'Net: (45.00) USD', [['(45.00) USD', -45, 'USD']]],
  ['en', 'Balance: $(1,045.00)', [['$(1,045.00)', -1045, 'USD']]],
  ['en', 'five hundred euros (EUR 500) are payable', [['EUR 500', 500, 'EUR']]],
  [
    'en',
    'The sum is AED 8,000.00 (USD 2,179.00)',
    [
      ['AED 8,000.00', 8000, 'AED'],
      ['USD 2,179.00', 2179, 'USD'],
    ],
  ],
  ['en', 'Early bird (EUR 45)', [['(EUR 45)', null, 'EUR']]],
  ['en', 'a net loss of ($45.0) million', [['($45.0)', null, 'USD']]],
  ['en', `${MINUS}£45.00`, [[`${MINUS}£45.00`, -45, 'GBP']]],
  [
    'en',
    '$20 million and $5k',
    [
      ['$20 million', 20_000_000, 'USD'],
      ['$5k', 5_000, 'USD'],
    ],
  ],
  ['en', 'It costs $.75', [['$.75', 0.75, 'USD']]],
  [
    'en',
    'Reading A$ 5.50 and NZ$7',
    [
      ['A$ 5.50', 5.5, 'AUD'],
      ['NZ$7', 7, 'NZD'],
    ],
  ],
  [
    'en',
    '$5 CAD or CAD $7',
    [
      ['$5 CAD', 5, 'CAD'],
      ['CAD $7', 7, 'CAD'],
    ],
  ],
  ['en', 'All prices in AUD. Desk $45.00', [['$45.00', 45, null]]],
  ['en', 'Between 10-20 EUR', [['20 EUR', 20, 'EUR']]],
  ['en', 'Only $119. 95', [['$119', null, 'USD']]],
  ['en', 'Tax 19 % 5 EUR', [['5 EUR', 5, 'EUR']]],
  ['en', '- 45 EUR is the first point of a list', [['45 EUR', 45, 'EUR']]],
  ['en', 'EUR 45- later', [['EUR 45-', null, 'EUR']]],
  ['en', 'TOP 10 and ALL 5 items', []],
  ['en', 'TRY 45.50', [['TRY 45.50', 45.5, 'TRY']]],
  ['en', 'Sent: 12 KGS, 45.00 KGS', []],
  ['en-in', '₹12,34,567.00', [['₹12,34,567.00', 1_234_567, 'INR']]],
  [
    'en-in',
    'INR 1,00,000 or ₹5 lakh',
    [
      ['INR 1,00,000', 100_000, 'INR'],
      ['₹5 lakh', 500_000, 'INR'],
    ],
  ],
  ['en-in', 'Rs. 250.00', [['Rs. 250.00', 250, null]]],
  ['sv', `${MINUS}45,00${NB}kr, alla belopp i SEK`, [[`${MINUS}45,00${NB}kr`, -45, 'SEK']]],
  ['sv', `1${NB}234:50 och 45 kr`, [['45 kr', 45, null]]],
  ['no', 'kr 1 250,50 NOK', [['kr 1 250,50 NOK', 1250.5, 'NOK']]],
  ['da', 'Pris kr. 45,-', [['kr. 45,-', 45, null]]],
  ['pl', `Razem: 1${NB}234,56 zł`, [[`1${NB}234,56 zł`, 1234.56, 'PLN']]],
  ['cs', 'Cena 9 800 Kč', [['9 800 Kč', 9800, 'CZK']]],
  ['hu', '45 000 Ft', [['45 000 Ft', 45_000, 'HUF']]],
  ['pt-br', 'R$ 1.234,56', [['R$ 1.234,56', 1234.56, 'BRL']]],
  [
    'en-za',
    'R1 273.00 or R273.00',
    [
      ['R1 273.00', 1273, 'ZAR'],
      ['R273.00', 273, 'ZAR'],
    ],
  ],
  ['ja', '合計 ¥１，２３４', [['¥１，２３４', 1234, 'JPY']]],
  ['ja', '1,234円', [['1,234円', 1234, 'JPY']]],
  ['ar', 'KWD 1.250', [['KWD 1.250', 1.25, 'KWD']]],
  ['', `EUR 1${FIGURE}234.00`, [[`EUR 1${FIGURE}234.00`, 1234, 'EUR']]],
  [
    '',
    'EUR 5 USD 7',
    [
      ['EUR 5', 5, 'EUR'],
      ['USD 7', 7, 'USD'],
    ],
  ],
  [
    '',
    '5 EUR 7 USD',
    [
      ['5 EUR', 5, 'EUR'],
      ['7 USD', 7, 'USD'],
    ],
  ],
  ['', '10 € 20', [['10 € 20', null, 'EUR']]],
  [
    '',
    'sum 5 €; 10 € 20',
    [
      ['5 €', 5, 'EUR'],
      ['10 €', 10, 'EUR'],
    ],
  ],
  ['', '10 €20', [['€20', 20, 'EUR']]],
  ['', '2 EUR 499.00', [['EUR 499.00', 499, 'EUR']]],
  ['', '10 £ 20', [['£ 20', 20, 'GBP']]],
  ['', 'EUR 5 USD', [['EUR 5 USD', 5, null]]],
  ['', 'EUR 499.00  2', [['EUR 499.00', 499, 'EUR']]],
  ['', 'EUR 499.00 2', [['EUR 499.00', 499, 'EUR']]],
  [
    '',
    'EUR 499.00\t2\tEUR 80.00\t4',
    [
      ['EUR 499.00', 499, 'EUR'],
      ['EUR 80.00', 80, 'EUR'],
    ],
  ],
  ['', 'Desk 2 499.00 EUR', [['2 499.00 EUR', null, 'EUR']]],
  ['', 'EUR\n45.00\n10\n€', []],
  ['', 'Total|EUR|45.00', []],
  ['', 'Desk,2,499.00 EUR', [['2,499.00 EUR', null, 'EUR']]],
  ['', 'EUR 1.250', [['EUR 1.250', null, 'EUR']]],
  [
    '',
    '€1,250 beside €12.50',
    [
      ['€1,250', 1250, 'EUR'],
      ['€12.50', 12.5, 'EUR'],
    ],
  ],
  [
    '',
    '1.250 EUR, 12.50 EUR, 12,50 EUR',
    [
      ['1.250 EUR', null, 'EUR'],
      ['12.50 EUR', 12.5, 'EUR'],
      ['12,50 EUR', 12.5, 'EUR'],
    ],
  ],
  [
    '',
    '1.10 EUR and 0.125 EUR',
    [
      ['1.10 EUR', 1.1, 'EUR'],
      ['0.125 EUR', 0.125, 'EUR'],
    ],
  ],
  ['', 'EUR 12345678901234567', [['EUR 12345678901234567', null, 'EUR']]],
  ['', 'EUR 1.23.4', [['EUR 1.23.4', null, 'EUR']]],
  ['', 'Invoice number 12345 EUR 99.00', [['EUR 99.00', 99, 'EUR']]],
  [
    '',
    'No. 17 EUR 5, INV-45 EUR 6, #8 EUR 7',
    [
      ['EUR 5', 5, 'EUR'],
      ['EUR 6', 6, 'EUR'],
      ['EUR 7', 7, 'EUR'],
    ],
  ],
  ['', 'Tel. 030 1234567 EUR 45', [['EUR 45', 45, 'EUR']]],
  [
    '',
    '31.03.2026 5 EUR, 12:30 EUR 6',
    [
      ['5 EUR', 5, 'EUR'],
      ['EUR 6', 6, 'EUR'],
    ],
  ],
  ['', 'AT61 1904 3002 3457 3201 EUR 45', [['EUR 45', 45, 'EUR']]],
];

const seen = (text: string): Expected[] => findAmounts(text).map(({ text, value, currency }) => [text, value, currency]);

test.each(SNIPPETS)('%s: "%s" says of money what a reader sees in it, or that it is not sure', (_locale, snippet, amounts) => {
  expect(seen(snippet)).toEqual(amounts);
  for (const { value, currency, doubt } of findAmounts(snippet)) expect(doubt !== undefined).toBe(value === null || currency === null);
});

test('who writes a decimal comma in one amount of a document means a thousand by a point in another, however far apart they stand', () => {
  const text = `Anzahlung 1.250 €\n${'Eine Zeile ohne Zahlen.\n'.repeat(50)}Versand 4,90 €`;
  expect(seen(text)).toEqual([
    ['1.250 €', 1250, 'EUR'],
    ['4,90 €', 4.9, 'EUR'],
  ]);
});

test('numbers without a currency, and the language, let thousands be told, and never decimals', () => {
  expect(seen('The whole amount that is payable within thirty days of the invoice is €1,250')).toEqual([['€1,250', 1250, 'EUR']]);
  expect(seen('Der ganze Betrag, der in dreißig Tagen zu zahlen ist, beläuft sich auf 1.250 €')).toEqual([['1.250 €', 1250, 'EUR']]);
  expect(seen('The whole amount that is payable within thirty days of the invoice is €1.250')).toEqual([['€1.250', null, 'EUR']]);
  expect(seen('Item\t40.00\nSum\tEUR 1,250')).toEqual([['EUR 1,250', 1250, 'EUR']]);
  expect(seen('Item\t40.00\nSum\tEUR 1.250')).toEqual([['EUR 1.250', null, 'EUR']]);
});

test('numbers in a part of a document are read as its amounts are written', () => {
  const money = new MoneyReader(`Summe 1.250 €, Versand 4,90 €`);
  expect(money.numbersIn(`1.119,00 | 19 % | (3.000) | -2`).map(({ value }) => value)).toEqual([1119, -3000, -2]);
  expect(money.numbersIn(`(3,00)`).map(({ value }) => value)).toEqual([-3]);
});

const DATES: [text: string, iso: string | null, told: boolean][] = [
  [`31${NB}March${NB}2026`, '2026-03-31', false],
  [`3.${NARROW}Oktober 2025`, '2025-10-03', false],
  ['1er janvier 2026', '2026-01-01', false],
  ['3 de octubre de 2025', '2025-10-03', false],
  ['5 lutego 2026', '2026-02-05', false],
  ['12 augusti 2026', '2026-08-12', false],
  ['2026/03/31', '2026-03-31', false],
  ['2026年3月31日', '2026-03-31', false],
  ['31-03-2026', '2026-03-31', false],
  ['03/04/2026', null, true],
  ['03-04-2026', null, true],
  ['31.03.26', '2026-03-31', true],
  ['31/03/26', '2026-03-31', true],
  ['03/04/26', null, true],
  ['31.12.99', '1999-12-31', true],
];

test.each(DATES)('the date %s is %s, and what was decided is told', (text, iso, told) => {
  const [date, ...others] = findDates(`It was on ${text}, they say.`, new Date('2026-11-24T12:00:00Z'));
  expect({ ...date, doubt: date?.doubt !== undefined }).toMatchObject({ text, iso, doubt: told });
  expect(others).toEqual([]);
});

test.each(['1.2.34', '192.168.10.12', '01.23.45.67.89', '2024.13.1', 'iPhone 12 pro 2026', '1/2/345'])('%s is no date', (text) => {
  expect(findDates(text, new Date('2026-11-24T12:00:00Z'))).toEqual([]);
});

test('the order of day and month is that of the other dates, which is told; where they disagree nobody can tell', () => {
  const [unclear] = findDates('03/04/2026 and 25/12/2025');
  expect(unclear).toMatchObject({ iso: '2026-04-03', doubt: 'read as 2026-04-03, because 25/12/2025 has the day first' });
  expect(findDates('03/04/2026 and 12/25/2025')[0]).toMatchObject({ iso: '2026-03-04' });
  expect(findDates('03/04/2026, 25/12/2025 and 12/25/2025')[0]).toMatchObject({ iso: null });
});

test('what is not sure is told as a warning, and so is what was left out', () => {
  expect(extractionWarnings(toSourceDocument({}, 'Total: EUR 1.250, on 03/04/2026'))).toEqual([
    'the amount "EUR 1.250" is not sure: 1250 or 1.25? nothing else in the document tells',
    'the date "03/04/2026" is not sure: 2026-04-03 or 2026-03-04? nothing else in the document tells',
  ]);
  const many = Array.from({ length: 73 }, (_, index) => `EUR ${index + 1}.00`).join('\n');
  expect(extractionWarnings(toSourceDocument({}, many))).toEqual(['extraction lists the first 50 of 73 amounts']);
  const unsure = Array.from({ length: 15 }, (_, index) => `EUR 1.${index + 100}`).join('\n');
  expect(extractionWarnings(toSourceDocument({}, unsure)).at(-1)).toBe('5 more amounts are not sure');
  expect(extractionWarnings(toSourceDocument({}, 'Total: EUR 1,250.00, on 3 April 2026'))).toEqual([]);
});

test('text made to keep the reader busy is read before the test runs out of time', () => {
  const pieces = [
    '1 ',
    '1 000 ',
    '$',
    '$ 1 ',
    '(',
    '($1)',
    '-',
    '-$',
    '1.1',
    "1'000",
    'EUR',
    'EUR ',
    'EUR 1 ',
    '1 000,00 € ',
    '1,',
    '_',
    '03/04/2026 ',
    '1.2.26 ',
  ];
  for (const piece of pieces) expect(findAmounts(piece.repeat(30_000 / piece.length)).length).toBeLessThan(30_000);
});
