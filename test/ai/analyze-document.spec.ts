import { ANALYSIS_SCHEMAS, ANALYSIS_TYPES, type Finding, type Findings } from '../../src/ai/document/analysis.js';
import { MAX_TEXT, toSourceDocument } from '../../src/ai/document/source-document.js';
import { analyzeDocument } from '../../src/ai/offline/document/analyze-document.js';

const NOW = new Date('2026-11-24T12:00:00Z');

const INVOICE = `ACME GmbH
Invoice

Invoice number: INV-2026-0417
Invoice date: 31 March 2026
Due date: 30.04.2026
Customer no. 10042
Contact: billing@acme.example, Tel. +49 30 1234567, https://acme.example/pay.
IBAN: DE89 3704 0044 0532 0130 00
VAT ID DE123456789

Item | Quantity | Amount
Paper | 10 | 40.00
Ink | 2 | 60.00

Subtotal: 100.00 EUR
VAT 19 %: 19.00 EUR
Total: 119.00 EUR

Thank you for your order. Please send your payment of the whole amount to our billing department within thirty days.
`;

const full = (text: string, fields: Record<string, unknown> = {}) =>
  analyzeDocument(toSourceDocument(fields, text), 'FULL_ANALYSIS', NOW) as Findings<'FULL_ANALYSIS'>;

const quality = (text: string, fields: Record<string, unknown> = {}) =>
  (analyzeDocument(toSourceDocument(fields, text), 'QUALITY_CHECK', NOW) as Findings<'QUALITY_CHECK'>).quality;

const kinds = (findings: Finding[]) => findings.map(({ kind }) => kind);

describe('analyzing a document offline', () => {
  test.each(ANALYSIS_TYPES)('%s finds what its schema says, and the same every time', (type) => {
    const document = toSourceDocument({ title: 'An invoice' }, INVOICE);
    const findings = analyzeDocument(document, type, NOW);
    expect(ANALYSIS_SCHEMAS[type].strict().parse(findings)).toEqual(findings);
    expect(analyzeDocument(document, type, NOW)).toEqual(findings);
  });

  test('tells what an invoice is, in its own words, and finds nothing wrong with a good one', () => {
    const { summary, classification, language, quality, anomalies } = full(INVOICE);
    expect(classification.category).toBe('invoice');
    expect(language).toBe('en');
    expect(INVOICE.replace(/\s+/g, ' ')).toContain(summary.replace('…', ''));
    expect(quality.score).toBeGreaterThan(0.6);
    expect(anomalies).toEqual([]);
  });

  test('extracts dates, amounts, addresses, numbers, labelled values and tables', () => {
    expect(full(INVOICE).extraction).toEqual({
      dates: [
        { text: '31 March 2026', iso: '2026-03-31' },
        { text: '30.04.2026', iso: '2026-04-30' },
      ],
      amounts: [
        { text: '100.00 EUR', value: 100, currency: 'EUR' },
        { text: '19.00 EUR', value: 19, currency: 'EUR' },
        { text: '119.00 EUR', value: 119, currency: 'EUR' },
      ],
      emails: ['billing@acme.example'],
      phones: ['+49 30 1234567'],
      urls: ['https://acme.example/pay'],
      identifiers: [
        { kind: 'invoice number', value: 'INV-2026-0417' },
        { kind: 'customer number', value: '10042' },
        { kind: 'IBAN', value: 'DE89370400440532013000' },
        { kind: 'VAT number', value: 'DE123456789' },
      ],
      keyValues: expect.arrayContaining([
        { key: 'Invoice number', value: 'INV-2026-0417' },
        { key: 'Total', value: '119.00 EUR' },
      ]),
      tables: [
        {
          name: '',
          columns: ['Item', 'Quantity', 'Amount'],
          rows: [
            ['Paper', '10', '40.00'],
            ['Ink', '2', '60.00'],
          ],
          rowCount: 2,
        },
      ],
    });
  });

  test.each([
    ['€ 1.234,50', 1234.5, 'EUR'],
    ['$1,234.50', 1234.5, 'USD'],
    ['1 234,5 EUR', 1234.5, 'EUR'],
    ['CHF 12', 12, 'CHF'],
    ['£1,000', 1000, 'GBP'],
  ])('reads the amount %s', (text, value, currency) => {
    expect(full(`It costs ${text} in all.`).extraction.amounts).toEqual([{ text, value, currency }]);
  });

  test.each([
    ['2026-02-28', '2026-02-28'],
    ['28.02.2026', '2026-02-28'],
    ['25/12/2025', '2025-12-25'],
    ['12/25/2025', '2025-12-25'],
    ['03/04/2025', null],
    ['3. Oktober 2025', '2025-10-03'],
    ['Sept. 4, 2025', '2025-09-04'],
  ])('reads the date %s as %s', (text, iso) => {
    expect(full(`It was on ${text}, they say.`).extraction.dates).toEqual([{ text, iso }]);
  });

  test("a record's fields are labelled values, and a list of objects in them is a table", () => {
    const { extraction } = full('', { status: 'open', owner: { name: 'Ada' }, empty: null, lines: [{ sku: 'a', price: 3 }, { sku: 'b' }] });
    expect(extraction.keyValues).toEqual([
      { key: 'status', value: 'open' },
      { key: 'name', value: 'Ada' },
    ]);
    expect(extraction.tables).toMatchObject([{ name: 'lines', columns: ['sku', 'price'], rowCount: 2 }]);
  });

  const ODD: [string, string, string][] = [
    ['a day that does not exist', 'Signed on 31.02.2026 in Berlin.', 'impossible-date'],
    ['a date in the future', 'It happened on 12 March 2031 in Berlin.', 'future-date'],
    ['a total that does not add up', INVOICE.replace('Total: 119.00', 'Total: 129.00'), 'wrong-total'],
    ['a column that does not add up', INVOICE.replace('| 60.00', '| 61.00'), 'wrong-sum'],
    ['a due date before the invoice', INVOICE.replace('30.04.2026', '30.01.2026'), 'dates-out-of-order'],
    ['an IBAN with a wrong check number', INVOICE.replace('DE89', 'DE88'), 'broken-iban'],
    ['an invoice without a number', INVOICE.replace('Invoice number: INV-2026-0417\n', ''), 'missing-part'],
    ['repeated lines', 'This line stands there more than once.\n'.repeat(3), 'repeated-line'],
    ['a placeholder', 'Dear {{name}}, thank you for your letter.', 'placeholder'],
    ['broken characters', 'Gr\ufffd\ufffde aus M\ufffdnchen', 'odd-characters'],
  ];

  test.each(ODD)('notices %s', (_what, text, kind) => {
    expect(kinds(full(text).anomalies)).toContain(kind);
  });

  test('a date that may well lie ahead is no anomaly', () => {
    expect(kinds(full('The offer is valid until 12 March 2031.\nDeadline: 2031-01-01').anomalies)).toEqual([]);
  });

  test('tells how good a document is, and why it is not better', () => {
    expect(quality('')).toEqual({ score: 0, issues: [expect.objectContaining({ kind: 'no-text', severity: 'high' })] });
    const poor = quality('Viele Gr\ufffd\ufffde \ufffd\ufffd', { a: '', b: null, c: 'x' });
    expect(kinds(poor.issues)).toEqual(expect.arrayContaining(['broken-characters', 'little-text', 'unknown-language', 'empty-fields']));
    expect(kinds(quality('The same old line, over and over again.\n'.repeat(20)).issues)).toContain('repetition');
    const good = quality(INVOICE);
    expect(good.issues).toEqual([]);
    expect(good.score).toBeGreaterThan(poor.score);
  });

  test('of a very long document the beginning is read, and it says so', () => {
    const long = toSourceDocument({}, 'A sentence of eight words stands here again. '.repeat(5_000));
    expect(long).toMatchObject({ truncated: true });
    expect(long.text).toHaveLength(MAX_TEXT);
    expect(kinds((analyzeDocument(long, 'QUALITY_CHECK', NOW) as Findings<'QUALITY_CHECK'>).quality.issues)).toContain('truncated');
  });

  test('text made to keep patterns busy is read before the test runs out of time', () => {
    const evil = [
      ' ',
      'a: ',
      '|',
      '\t',
      '1.',
      '1 ',
      'a@',
      '+1 ',
      'IBAN ',
      'DE89 3704 ',
      '\n',
      '{{',
      '1,2,3 ',
      'invoice no ',
      '# ',
      '($',
      'Aa ',
    ];
    for (const piece of evil) expect(full(piece.repeat(MAX_TEXT / piece.length)).quality.score).toBeLessThan(1);
  });
});
