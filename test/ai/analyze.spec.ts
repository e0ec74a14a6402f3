import { readFileSync } from 'node:fs';
import { analyze } from '../../src/ai/offline/analyze.js';
import { detectLanguage } from '../../src/ai/offline/language.js';
import { cutText, toPlainText } from '../../src/ai/offline/plain-text.js';
import { readableOf } from '../../src/ai/offline/readable.js';

const of = (fields: Record<string, unknown>) => analyze(readableOf(fields, {}));

const INVOICE = {
  number: 'R-2026-0117',
  subject: 'Invoice R-2026-0117',
  text: `Dear Ms. Keller, please find below the invoice for our consulting services of October 2026. The amount due is $12,480.50 including VAT.
    Payment is due by November 30, 2026 to our account at Deutsche Bank in Frankfurt. For questions about this invoice please contact
    Maria Lopez at billing@northwind.example. Northwind Traders Ltd thanks you for your business and your prompt payment.`,
};

const COMPLAINT = {
  title: 'Still waiting for a refund',
  body: `I am very disappointed. My order arrived with a broken screen and your support agent promised a refund three weeks ago.
    I wrote to support twice and nobody replied to my ticket. Please escalate this complaint and send a replacement or the refund today.`,
};

function readme(name: string): Record<string, unknown> {
  const { description, keywords, version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as Record<
    string,
    unknown
  >;
  return { name, version, description, keywords, readme: readFileSync(`node_modules/${name}/README.md`, 'utf8') };
}

test('an invoice: what it is, who and where, how much and when', () => {
  const annotation = of(INVOICE);
  expect(annotation).toMatchObject({ language: 'en', category: 'invoice', analyzer: 'offline' });
  expect(annotation.tags).toEqual(expect.arrayContaining(['invoice', 'payment']));
  expect(annotation.entities.people).toContain('Maria Lopez');
  expect(annotation.entities.organizations).toEqual(expect.arrayContaining(['Deutsche Bank', 'Northwind Traders Ltd']));
  expect(annotation.entities.places).toContain('Frankfurt');
  expect(annotation.entities.money).toEqual(['$12,480.50']);
  expect(annotation.entities.dates).toContain('November 30, 2026');
  expect(annotation.entities.emails).toEqual(['billing@northwind.example']);
  expect(annotation.description.length).toBeLessThanOrEqual(200);
  expect(annotation.description).toContain('invoice');
});

test('a complaint is a matter of support', () => {
  expect(of(COMPLAINT)).toMatchObject({ language: 'en', category: 'support' });
});

test.each([
  ['fastify', 'web-server'],
  ['ioredis', 'database'],
  ['jest', 'testing'],
  ['csv-parse', 'parsing'],
  ['bull', 'async'],
])('%s is told to be of the category %s by its README', (name, category) => {
  const annotation = of(readme(name));
  expect(annotation).toMatchObject({ language: 'en', category });
  expect(annotation.tags.length).toBeGreaterThan(3);
  expect(annotation.qualityScore).toBeGreaterThan(0.5);
});

test.each([
  ['de', 'Die Rechnung ist bis zum Ende des Monats fällig und muss auf das angegebene Konto überwiesen werden.'],
  ['fr', 'La facture doit être payée avant la fin du mois sur le compte indiqué dans notre lettre.'],
  ['es', 'El pago de la factura vence a finales de mes y debe hacerse en la cuenta indicada por nosotros.'],
  ['it', 'La fattura deve essere pagata entro la fine del mese sul conto indicato nella nostra lettera.'],
  ['ru', 'Счет должен быть оплачен до конца месяца на указанный в письме банковский счет.'],
  ['ja', '請求書は月末までにお支払いください。よろしくお願いいたします。'],
  ['en', 'The invoice is due by the end of the month and must be paid to the account given below.'],
  ['und', 'R-2026'],
])('the language %s is told', (language, text) => {
  expect(detectLanguage(text).language).toBe(language);
  expect(of({ text }).language).toBe(language);
});

test('little is said of little, and nothing breaks', () => {
  for (const fields of [{}, { a: null }, { a: '' }, { a: 5, b: [true] }, { a: '💥' }, { a: { b: { c: ['x'] } } }, { name: 'x' }]) {
    const annotation = of(fields);
    expect(annotation.qualityScore).toBeGreaterThanOrEqual(0);
    expect(annotation.qualityScore).toBeLessThan(0.5);
    expect(annotation.category).toBe('other');
    expect(annotation.language).toBe('und');
  }
});

test('quality tells a full record from a poor one', () => {
  const full = of(readme('fastify')).qualityScore;
  const poor = of({ name: 'thing', description: '', keywords: [], text: 'A thing that does things.' }).qualityScore;
  expect(full).toBeGreaterThan(poor + 0.25);
});

test('the same record gives the same annotation, and an earlier one is not read', () => {
  const first = of(INVOICE);
  expect(of({ ...INVOICE, annotation: { description: 'zebra zebra zebra crossing the street' }, annotation_status: 'done' })).toEqual(
    first,
  );
});

test('only the named fields are read when some are named', () => {
  const fields = { de: 'Die Rechnung ist bis Ende des Monats fällig und muss bezahlt werden, wie besprochen.', en: INVOICE.text };
  expect(analyze(readableOf(fields, { textFields: ['de', 'not.there'] })).language).toBe('de');
});

test('an annotation can be stored: no half characters, however texts are cut', () => {
  const emoji = '😀'.repeat(20_000);
  for (const text of [emoji, `a ${emoji}`, `ab ${emoji} word word word.`]) {
    const annotation = of({ description: text, text });
    expect(JSON.stringify(annotation)).not.toMatch(/\\ud[89ab]/);
    expect(annotation.description.length).toBeLessThanOrEqual(200);
  }
  expect(cutText('x😀'.repeat(3), 3)).toBe('x…');
});

test('markup, code and badges are no prose', () => {
  const text = toPlainText(
    '# Title\n\n[![Build](https://x.example/badge.svg)](https://x.example) Some **bold** [link](https://y.example "t") text.\n\n```js\nconst secret = 1;\n```\n\n<p align="center">Shown &amp; read</p>\n\n- [x] done\n',
  );
  expect(text).toContain('Some bold link text.');
  expect(text).toContain('Shown & read');
  expect(text).toContain('done');
  expect(text).not.toMatch(/secret|badge|https|<p|\[x]|#|\*\*/);
});

test.each([
  ['brackets', '['.repeat(20_000)],
  ['opened tags', '<a '.repeat(7_000)],
  ['images', '!['.repeat(10_000)],
  ['links', '[a](b'.repeat(4_000)],
  ['stars', '**a'.repeat(7_000)],
  ['backticks', '`'.repeat(20_000)],
  ['pipes', `|${' '.repeat(19_000)}x`],
  ['spaces', `a${' '.repeat(19_999)}`],
  ['dashes', '- '.repeat(10_000)],
  ['at signs', 'a@'.repeat(10_000)],
  ['dots', 'a@b.'.repeat(5_000)],
  ['a number', '1,'.repeat(10_000)],
  ['currency', '$1'.repeat(10_000)],
  ['one word', 'x'.repeat(20_000)],
  ['capitals', 'Aa '.repeat(7_000)],
  ['comments', '<!--'.repeat(5_000)],
  ['newlines', '\n'.repeat(20_000)],
  ['quotes', '> '.repeat(10_000)],
])('text made to be slow to read is read in time: %s', (_what, text) => {
  const before = process.cpuUsage();
  of({ text, description: text });
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(1_000);
});
