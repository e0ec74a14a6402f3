import PDFKit from 'pdfkit';
import { PDFDocument } from 'pdf-lib';
import { deflateSync } from 'node:zlib';
import { ReadingThread } from '../support/reading-thread.js';
import { drawn, encryptedPdf, pdfOf, pdfStream, rawPage, rawPdf } from '../support/sample-files.js';

const reading = new ReadingThread();
afterAll(() => reading.close());

const invoice = () => rawPage({ content: drawn([72, 700, 'Invoice 17 for steel desks']) });
const changed = (change: (text: string) => string) => Buffer.from(change(invoice().toString('latin1')), 'latin1');

async function protectedPdf(options: PDFKit.PDFDocumentOptions): Promise<Buffer> {
  const document = new PDFKit(options);
  const chunks: Buffer[] = [];
  document.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve) => document.on('end', resolve));
  document.text('Invoice 17 for steel desks');
  document.end();
  await ended;
  return Buffer.concat(chunks);
}

/** The same document with a page more, appended as editors do that leave the rest as it is. */
function updated(): Buffer {
  const before = invoice().toString('latin1');
  const start = /startxref\n(\d+)/.exec(before)![1]!;
  const stream = pdfStream(drawn([72, 700, 'Invoice 18 for steel desks']));
  const offset = before.length;
  const table = `xref\n5 1\n${String(offset).padStart(10, '0')} 00000 n \n`;
  const object = `5 0 obj\n${stream}\nendobj\n`;
  return Buffer.from(
    `${before}${object}${table}trailer\n<< /Size 6 /Root 1 0 R /Prev ${start} >>\nstartxref\n${offset + object.length}\n%%EOF\n`,
    'latin1',
  );
}

describe('a PDF is read', () => {
  test.each<[string, () => Buffer | Promise<Buffer>]>([
    ['whose offsets are wrong', () => changed((text) => text.replace(/startxref\n(\d+)/, (_, at) => `startxref\n${Number(at) + 8}`))],
    ['whose offsets lie far behind its end', () => changed((text) => text.replace(/startxref\n(\d+)/, 'startxref\n99999999'))],
    ['without the place of its directory', () => changed((text) => text.slice(0, text.indexOf('startxref')))],
    ['without its directory', () => changed((text) => text.slice(0, text.indexOf('xref\n0 ')))],
    ['behind a page of HTML', () => changed((text) => `<html><body>${'x'.repeat(3_000)}</body></html>\n${text}`)],
    ['behind some headers', () => changed((text) => `HTTP/1.1 200 OK\r\ncontent-type: application/pdf\r\n\r\n${text}`)],
    ['behind a byte order mark', () => changed((text) => `\xef\xbb\xbf${text}`)],
    ['before a page of HTML', () => changed((text) => `${text}<html><body>${'x'.repeat(3_000)}</body></html>`)],
    ['before zeros', () => changed((text) => text + '\0'.repeat(4_096))],
    ['with the line ends of another system', () => changed((text) => text.replaceAll('\n', '\r\n'))],
    ['with a version that nobody knows', () => changed((text) => text.replace('%PDF-1.4', '%PDF-9.9'))],
    ['with a wrong length of its text', () => changed((text) => text.replace(/\/Length \d+/, '/Length 7'))],
    ['with objects in compressed streams', async () => pdfLib({ useObjectStreams: true })],
    ['with its objects in the open', async () => pdfLib({ useObjectStreams: false })],
    ['that only its owner may change', () => protectedPdf({ userPassword: '', ownerPassword: 'secret', pdfVersion: '1.7' })],
    [
      'that is encrypted for everybody, the newest way',
      () => protectedPdf({ userPassword: '', ownerPassword: 'secret', pdfVersion: '1.7ext3' }),
    ],
  ])('%s', async (_, make) => {
    expect(await reading.pdf(await make())).toMatchObject({ pages: 1, text: 'Invoice 17 for steel desks' });
  });

  const pdfLib = async (options: { useObjectStreams: boolean }) => {
    const document = await PDFDocument.load(await pdfOf('Invoice 17 for steel desks'));
    return Buffer.from(await document.save(options));
  };

  test('in its newest state, when it was changed at its end', async () => {
    expect(await reading.pdf(updated())).toMatchObject({ text: 'Invoice 18 for steel desks' });
  });

  test('as far as it is there when it is cut off, and that is told', async () => {
    const bytes = Buffer.from(await (await PDFDocument.load(await pdfOf('One', 'Two', 'Three'))).save({ useObjectStreams: false }));
    const { text, warnings } = await reading.pdf(bytes.subarray(0, bytes.length - 400));
    expect(text).toContain('One');
    expect(warnings).toEqual(expect.arrayContaining([expect.stringMatching(/^the file is damaged/)]));
  });

  test('without a page that is damaged, which is told', async () => {
    const page = (contents: string) =>
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> >> /Contents ${contents} >>`;
    const found = await reading.pdf(
      rawPdf([
        '<< /Type /Catalog /Pages 2 0 R >>',
        '<< /Type /Pages /Kids [3 0 R 6 0 R 7 0 R] /Count 3 >>',
        page('5 0 R'),
        '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
        pdfStream(drawn([72, 700, 'The first page'])),
        '[ 1 2 3 ]',
        page('5 0 R'),
      ]),
    );
    expect(found.text).toContain('The first page');
    expect(found.warnings).toEqual(expect.arrayContaining([expect.stringMatching(/page 2: it is damaged and was left out|damaged/)]));
  });
});

describe('a PDF fails alone, with its reason,', () => {
  test.each<[string, () => Buffer | Promise<Buffer>, RegExp]>([
    ['that has a password', encryptedPdf, /it needs a password; save it without one/],
    ['that PDFKit has protected', () => protectedPdf({ userPassword: 'secret', pdfVersion: '1.7' }), /it needs a password/],
    ['that holds nothing', () => Buffer.from('%PDF-1.7\nnothing more'), /Invalid PDF structure/],
    ['that is full of zeros', () => Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(20_000)]), /Invalid PDF structure/],
  ])('%s', async (_, make, message) => {
    await expect(reading.pdf(await make())).rejects.toMatchObject({ code: 'UNPROCESSABLE', message: expect.stringMatching(message) });
  });
});

describe('what a PDF costs', () => {
  const squeezed = (content: Buffer, times = 1, filters = '') => {
    let bytes = content;
    for (let round = 0; round < times; round += 1) bytes = deflateSync(bytes, { level: 9 });
    return rawPage({ content: bytes, contentEntries: `/Filter [${'/FlateDecode '.repeat(times)}${filters}]` });
  };

  /** Forms in forms: 10 times 10 times ... */
  const nested = (levels: number) => {
    const objects = Array.from({ length: levels }, (_, level) =>
      pdfStream(
        level === levels - 1 ? drawn([72, 700, 'x']) : '/X Do '.repeat(10),
        `/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> /XObject << /X ${7 + level} 0 R >> >>`,
      ),
    );
    return rawPage({ content: '/X Do', objects });
  };

  test('is bounded by processor time: 6 kB of forms in forms end with the reason', async () => {
    const bytes = nested(9);
    expect(bytes.length).toBeLessThan(6_000);
    await expect(reading.pdf(bytes, { cpuMs: 1_500 })).rejects.toMatchObject({
      name: 'ResourceLimitError',
      message: expect.stringMatching(/^it kept its thread busy for \d+ ms; 1500 ms are allowed/),
    });
  }, 60_000);

  test('is bounded by memory: 400 kB that unfold to 400 MB end with the reason', async () => {
    await expect(reading.pdf(squeezed(Buffer.alloc(400_000_000, ' ')), { cpuMs: 60_000 })).rejects.toMatchObject({
      name: 'ResourceLimitError',
      message: expect.stringMatching(/Buffers take \d+ MB; at most 256 MB are allowed/),
    });
  }, 120_000);

  test('is bounded also where a filter unfolds it in one go', async () => {
    const runs = Buffer.alloc(8_000_000, '\x81 ', 'latin1');
    const bytes = squeezed(runs, 2, '/RunLengthDecode');
    expect(bytes.length).toBeLessThan(10_000);
    await expect(reading.pdf(bytes, { cpuMs: 60_000 })).rejects.toMatchObject({ message: expect.stringMatching(/bytes is too large/) });
  }, 120_000);

  test('is that of a page at most of 50,000 pieces, and that is told', async () => {
    const pieces = Array.from(
      { length: 55_000 },
      (_, at) => `1 0 0 1 ${(at % 50) * 12} ${800 - Math.floor(at / 50) * 0.7} Tm (${at % 9}) Tj`,
    );
    const { characters, warnings } = await reading.pdf(squeezed(Buffer.from(`BT /F1 0.5 Tf ${pieces.join(' ')} ET`)));
    expect(characters).toBeGreaterThan(50_000);
    expect(warnings).toContain('page 1: it has more text than is read of one page');
  }, 120_000);

  test('is that of the pages that it takes to fill what was asked for', async () => {
    const count = 3_000;
    const kids = Array.from({ length: count }, (_, page) => `${5 + page} 0 R`).join(' ');
    const page = '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> >> /Contents 3 0 R >>';
    const bytes = rawPdf([
      '<< /Type /Catalog /Pages 2 0 R >>',
      `<< /Type /Pages /Kids [${kids}] /Count ${count} >>`,
      pdfStream(
        drawn(...Array.from({ length: 50 }, (_, line): [number, number, string] => [72, 800 - line * 14, 'Steel desks for the office'])),
      ),
      '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
      ...Array.from({ length: count }, () => page),
    ]);
    const { pages, characters, truncated, text } = await reading.pdf(bytes, { maxTextCharacters: 5_000 });
    expect({ pages, truncated, length: text.length }).toEqual({ pages: count, truncated: true, length: 5_000 });
    // Four pages of 1,349 characters.
    expect(characters).toBe(4 * 1_350);
  });

  test('of a text of just the length that was asked for is no truth about what follows', async () => {
    expect(await reading.pdf(await pdfOf('Soup', 'Fish'), { maxTextCharacters: 4 })).toMatchObject({
      text: 'Soup',
      characters: 5,
      truncated: true,
    });
    expect(await reading.pdf(await pdfOf('Soup'), { maxTextCharacters: 4 })).toMatchObject({
      text: 'Soup',
      characters: 4,
      truncated: false,
    });
  });

  test('does not grow with the number of pages that it claims to have', async () => {
    const bytes = Buffer.from(invoice().toString('latin1').replace('/Count 1 ', '/Count 2000000000 '), 'latin1');
    expect(await reading.pdf(bytes, { cpuMs: 20_000 })).toMatchObject({ pages: 1, text: 'Invoice 17 for steel desks' });
  }, 60_000);
});
