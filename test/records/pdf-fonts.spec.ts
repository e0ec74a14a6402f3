import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getResolvedPDFJS } from 'unpdf';
import { ReadingThread } from '../support/reading-thread.js';
import { drawn, pdfStream, rawPage } from '../support/sample-files.js';

const reading = new ReadingThread();
afterAll(() => reading.close());

/** A page whose font has no glyphs and no map of its own, as the writers of East Asian documents make them. */
function asianPage(encoding: string, ordering: string, codes: string, entries = ''): Buffer {
  const type = entries === '' ? 'CIDFontType0' : 'CIDFontType2';
  return rawPage({
    content: `BT /F1 14 Tf 72 700 Td <${codes}> Tj ET`,
    font: `<< /Type /Font /Subtype /Type0 /BaseFont /Asian /Encoding /${encoding} /DescendantFonts [7 0 R] >>`,
    objects: [
      pdfStream(''),
      `<< /Type /Font /Subtype /${type} /BaseFont /Asian /CIDSystemInfo << /Registry (Adobe) /Ordering (${ordering}) /Supplement 2 >> /FontDescriptor 8 0 R ${entries} >>`,
      '<< /Type /FontDescriptor /FontName /Asian /Flags 4 /FontBBox [-100 -200 1000 900] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>',
    ],
  });
}

const utf16 = (text: string) => Buffer.from(text, 'utf16le').swap16().toString('hex');

describe('a PDF whose fonts use one of the known character maps', () => {
  test.each([
    ['UniJIS-UCS2-H', 'Japan1', utf16('請求書 東京'), '請求書 東京'],
    ['UniJIS-UTF16-H', 'Japan1', utf16('税込金額'), '税込金額'],
    ['90ms-RKSJ-H', 'Japan1', '90bf8b818f9120938c8b9e', '請求書 東京'],
    ['EUC-H', 'Japan1', 'c0c1b5e1bdf1', '請求書'],
    ['H', 'Japan1', '404135613d71', '請求書'],
    ['GBK-EUC-H', 'GB1', 'b7a2c6b1b1b1bea9', '发票北京'],
    ['GB-EUC-H', 'GB1', 'b7a2c6b1', '发票'],
    ['UniGB-UCS2-H', 'GB1', utf16('发票北京'), '发票北京'],
    ['ETen-B5-H', 'CNS1', 'b56fb2bca578a55f', '發票台北'],
    ['UniCNS-UTF16-H', 'CNS1', utf16('發票'), '發票'],
    ['KSCms-UHC-H', 'Korea1', 'c3bbb1b8bcad', '청구서'],
    ['KSC-EUC-H', 'Korea1', 'c3bbb1b8bcad', '청구서'],
    ['UniKS-UCS2-H', 'Korea1', utf16('청구서 서울'), '청구서 서울'],
  ])('%s (%s) is read', async (encoding, ordering, codes, text) => {
    expect(await reading.pdf(asianPage(encoding, ordering, codes))).toMatchObject({ text, warnings: [] });
  });

  test('is read also when its characters are told by number only', async () => {
    // 1 to 3 are 'space', '!' and '"' of Adobe-Japan1; 3284 and 2112 two of its signs.
    const { text } = await reading.pdf(asianPage('Identity-H', 'Japan1', '002200230024'));
    expect(text).toBe('ABC');
  });
});

describe('a PDF whose text cannot be told', () => {
  test('for a character map that nobody knows has none, and says why', async () => {
    expect(await reading.pdf(asianPage('Unknown-Map-H', 'Japan1', '8acb6c42'))).toMatchObject({
      text: '',
      warnings: [expect.stringMatching(/^page 1: its fonts need a character map that is not there/), 'no text was found in it'],
    });
  });

  test('for fonts that do not say which characters they draw is called garbage', async () => {
    const page = asianPage('Identity-H', 'Identity', '0003000100020004000500060007000800010002', '/CIDToGIDMap /Identity');
    expect((await reading.pdf(page)).warnings).toEqual([
      'page 1: much of its text is garbage: its fonts do not say which characters they draw',
    ]);
  });

  test('of a character or two is told, and where', async () => {
    const font = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Type /Encoding /Differences [1 /g1 /g2] >> >>';
    const found = await reading.pdf(rawPage({ font, content: drawn([72, 700, 'The di\\001erence of the two amounts is small']) }));
    expect(found.text).toContain('erence of the two amounts');
    expect(found.warnings).toEqual([expect.stringMatching(/^page 1: some of its characters cannot be told \(U\+FFFD\)/)]);
  });

  const image = pdfStream(
    Buffer.alloc(3, 0xff),
    '/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceRGB /BitsPerComponent 8',
  );

  test('because it is a picture is called a scan', async () => {
    expect(await reading.pdf(rawPage({ content: 'q 500 0 0 700 50 50 cm /X Do Q', objects: [image] }))).toMatchObject({
      text: '',
      warnings: [expect.stringMatching(/^page 1: it holds pictures but no text: it seems to be a scan/), 'no text was found in it'],
    });
  });

  test('because its page is blank has no text', async () => {
    expect((await reading.pdf(rawPage({ content: '' }))).warnings).toEqual(['no text was found in it']);
  });

  test('but that holds text beside its pictures is no scan', async () => {
    const content = `q 500 0 0 700 50 50 cm /X Do Q ${drawn([72, 700, 'Invoice 17'])}`;
    expect(await reading.pdf(rawPage({ content, objects: [image] }))).toMatchObject({ text: 'Invoice 17', warnings: [] });
  });
});

test('the character maps and fonts are those of the reader’s own version', async () => {
  const { version } = (await getResolvedPDFJS()) as { version: string };
  const manifest = JSON.parse(await readFile(join(__dirname, '../../node_modules/pdfjs-dist/package.json'), 'utf8')) as { version: string };
  expect(manifest.version).toBe(version);
});
