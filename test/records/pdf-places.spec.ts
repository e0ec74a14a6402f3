import PDFKit from 'pdfkit';
import { degrees, PDFDocument, StandardFonts } from 'pdf-lib';
import { extract } from '../../src/ai/offline/document/extract.js';
import { ReadingThread } from '../support/reading-thread.js';
import { drawn, pdfStream, rawPage } from '../support/sample-files.js';

const reading = new ReadingThread();
afterAll(() => reading.close());

const textOf = async (bytes: Buffer) => (await reading.pdf(bytes)).text;
const contentText = (content: string) => textOf(rawPage({ content }));

/** A document made by PDFKit, which kerns and draws in arrays of letters. */
async function kitPdf(draw: (document: PDFKit.PDFDocument) => void, options: PDFKit.PDFDocumentOptions = {}): Promise<Buffer> {
  const document = new PDFKit({ size: 'A4', ...options });
  const chunks: Buffer[] = [];
  document.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise((resolve) => document.on('end', resolve));
  draw(document);
  document.end();
  await ended;
  return Buffer.concat(chunks);
}

const LOREM = 'The steel desks were delivered in good order and the invoice has been paid within thirty days of the delivery. ';

describe('pieces of a PDF page', () => {
  test('that are drawn from the right come in reading order, and are parted', async () => {
    const text = await contentText(
      drawn(
        [450, 700, '499.00'],
        [300, 700, 'Furniture'],
        [50, 700, 'Desk'],
        [450, 680, '80.00'],
        [300, 680, 'Seating'],
        [50, 680, 'Chair'],
      ),
    );
    expect(text).toBe('Desk\tFurniture\t499.00\nChair\tSeating\t80.00');
  });

  test('leave amounts what they are, whatever number stands beside them', async () => {
    const rows: Parameters<typeof drawn> = [
      [450, 700, 'EUR 499.00'],
      [300, 700, '2 pieces'],
      [50, 700, 'Desk'],
      [450, 680, 'EUR 80.00'],
      [300, 680, '4 pieces'],
      [50, 680, 'Chair'],
    ];
    const { amounts } = extract(await contentText(drawn(...rows)));
    expect(amounts).toEqual([
      { text: 'EUR 499.00', value: 499, currency: 'EUR' },
      { text: 'EUR 80.00', value: 80, currency: 'EUR' },
    ]);
  });

  test.each<[string, Parameters<typeof drawn>, string]>([
    [
      'a column drawn after the other',
      [
        [50, 700, 'Desk'],
        [50, 685, 'Chair'],
        [50, 670, 'Lamp'],
        [300, 700, '2'],
        [300, 685, '4'],
        [300, 670, '1'],
        [450, 700, '499.00'],
        [450, 685, '80.00'],
        [450, 670, '12.50'],
      ],
      'Desk\t2\t499.00\nChair\t4\t80.00\nLamp\t1\t12.50',
    ],
    [
      'cells whose baselines differ by a little',
      [
        [50, 700, 'Desk'],
        [300, 701.5, '2'],
        [450, 698.8, '499.00'],
      ],
      'Desk\t2\t499.00',
    ],
    [
      'a cell in a smaller font',
      [
        [50, 700, 'Desk', 12],
        [300, 700, '2', 8],
        [450, 700, '499.00', 12],
      ],
      'Desk\t2\t499.00',
    ],
    [
      'cells that stand close',
      [
        [50, 700, '499.00'],
        [84, 700, '2'],
      ],
      '499.00 2',
    ],
    [
      'a raised mark behind an amount',
      [
        [50, 700, '499.00'],
        [80.6, 703, '2', 6],
      ],
      '499.00 2',
    ],
    [
      'a raised mark behind a word',
      [
        [50, 700, 'EUR m'],
        [80.6, 703, '2', 6],
      ],
      'EUR m2',
    ],
    [
      'letters drawn one by one',
      [
        [50, 700, 'D'],
        [57.2, 700, 'e'],
        [62.8, 700, 's'],
        [67.8, 700, 'k'],
      ],
      'Desk',
    ],
    [
      'letters drawn one by one from the right',
      [
        [67.8, 700, 'k'],
        [62.8, 700, 's'],
        [57.2, 700, 'e'],
        [50, 700, 'D'],
      ],
      'Desk',
    ],
    [
      'text drawn twice to look bold',
      [
        [50, 700, 'Total'],
        [50.3, 700, 'Total'],
        [100, 700, '499.00'],
        [100.3, 700, '499.00'],
      ],
      'Total\t499.00',
    ],
    [
      'a word that is there twice',
      [
        [50, 700, 'very'],
        [75, 700, 'very'],
      ],
      'very very',
    ],
    [
      'a hyphen at the end of a line',
      [
        [50, 700, 'deliv-'],
        [50, 686, 'ery'],
      ],
      'deliv-\nery',
    ],
    [
      'a label far from its value',
      [
        [50, 700, 'Invoice number:'],
        [300, 700, '2026-17'],
      ],
      'Invoice number: 2026-17',
    ],
    [
      'a gap between paragraphs',
      [
        [50, 700, 'one'],
        [50, 688, 'two'],
        [50, 650, 'three'],
        [50, 638, 'four'],
      ],
      'one\ntwo\n\nthree\nfour',
    ],
  ])('with %s', async (_, pieces, text) => {
    expect(await contentText(drawn(...pieces))).toBe(text);
  });

  test('leave a cell empty where a row has none, so that columns do not move', async () => {
    const text = await contentText(
      drawn(
        [50, 700, 'Article'],
        [200, 700, 'Colour'],
        [300, 700, 'Number'],
        [400, 700, 'Price'],
        [50, 680, 'Desk'],
        [300, 680, '2'],
        [400, 680, '499.00'],
        [50, 660, 'Chair'],
        [200, 660, 'red'],
        [400, 660, '80.00'],
        [50, 640, 'Lamp'],
        [200, 640, 'blue'],
        [300, 640, '1'],
      ),
    );
    expect(text.split('\n').map((line) => line.split('\t'))).toEqual([
      ['Article', 'Colour', 'Number', 'Price'],
      ['Desk', '', '2', '499.00'],
      ['Chair', 'red', '', '80.00'],
      ['Lamp', 'blue', '1', ''],
    ]);
  });

  test('of a table that PDFKit draws keep their rows, aligned to the right or not', async () => {
    const rows = [
      ['Article', 'Number', 'Price'],
      ['Steel desk', '2', 'EUR 499.00'],
      ['Office chair', '14', 'EUR 1,080.00'],
      ['Lamp', '3', 'EUR 9.50'],
    ];
    const bytes = await kitPdf((document) => {
      for (const [at, [article, number, price]] of rows.entries()) {
        const y = 100 + at * 22;
        document.fontSize(11).text(price!, 400, y, { width: 120, align: 'right' });
        document.text(article!, 60, y, { width: 200 });
        document.text(number!, 300, y, { width: 60, align: 'right' });
      }
    });
    expect((await textOf(bytes)).split('\n').map((line) => line.split('\t'))).toEqual(rows);
    expect(extract(await textOf(bytes)).tables).toMatchObject([{ columns: rows[0], rows: rows.slice(1) }]);
  });

  test('of two columns of running text are read column by column, below a title across both', async () => {
    const bytes = await kitPdf((document) => {
      document.fontSize(18).text('A title that stands across the whole page, from side to side', 60, 60, { width: 480 });
      document.fontSize(10).text(`LEFT ${LOREM.repeat(8)}`, 60, 130, { width: 220 });
      document.text(`RIGHT ${LOREM.repeat(8)}`, 310, 130, { width: 220 });
    });
    const words = (await textOf(bytes)).replace(/\s+/g, ' ');
    expect(words).toContain(`side LEFT ${LOREM.repeat(8)}RIGHT ${LOREM.repeat(8)}`.trim());
  });

  test('of three columns too', async () => {
    const bytes = await kitPdf((document) => {
      for (const [at, name] of ['ONE', 'TWO', 'THREE'].entries())
        document.fontSize(9).text(`${name} ${LOREM.repeat(6)}`, 50 + at * 170, 100, { width: 150 });
    });
    const words = (await textOf(bytes)).replace(/\s+/g, ' ');
    expect(words).toBe(
      ['ONE', 'TWO', 'THREE']
        .map((name) => `${name} ${LOREM.repeat(6)}`)
        .join('')
        .trim(),
    );
  });

  test('of a paragraph that PDFKit justifies are words parted by one space', async () => {
    const bytes = await kitPdf((document) => document.fontSize(11).text(LOREM.repeat(3), { align: 'justify', width: 260 }));
    expect((await textOf(bytes)).replaceAll('\n', ' ')).toBe(LOREM.repeat(3).trim());
  });

  test('that run in another direction come after the others, each line whole', async () => {
    const document = await PDFDocument.create();
    const page = document.addPage();
    page.drawText('DRAFT 2026', { x: 200, y: 300, size: 60, rotate: degrees(45) });
    page.drawText('Steel desks for the office', { x: 50, y: 700, size: 12 });
    page.drawText('in the margin', { x: 30, y: 200, size: 8, rotate: degrees(90) });
    page.drawText('are delivered on Monday', { x: 50, y: 686, size: 12 });
    expect((await textOf(Buffer.from(await document.save()))).split('\n\n')).toEqual([
      'Steel desks for the office\nare delivered on Monday',
      'in the margin',
      'DRAFT 2026',
    ]);
  });

  test.each([90, 180, 270])('of a page that is turned by %i degrees are read like any other', async (angle) => {
    const document = await PDFDocument.create();
    const page = document.addPage();
    page.setRotation(degrees(angle));
    const font = await document.embedFont(StandardFonts.Helvetica);
    const place: Record<number, [number, number][]> = {
      90: [
        [100, 50],
        [100, 300],
        [120, 50],
      ],
      180: [
        [500, 700],
        [250, 700],
        [500, 720],
      ],
      270: [
        [400, 700],
        [400, 450],
        [380, 700],
      ],
    };
    const [desk, price, chair] = place[angle]!;
    for (const [text, at] of [
      ['499.00', price],
      ['Desk', desk],
      ['Chair', chair],
    ] as const)
      page.drawText(text, { x: at![0], y: at![1], size: 10, font, rotate: degrees(angle) });
    const lines = angle === 180 ? 'Desk\t499.00\nChair' : 'Desk\t499.00\nChair';
    expect(await textOf(Buffer.from(await document.save()))).toBe(lines);
  });

  const mapped = (pairs: [code: string, unicode: string][]) => ({
    font: '<< /Type /Font /Subtype /Type0 /BaseFont /Mapped /Encoding /Identity-H /ToUnicode 7 0 R /DescendantFonts [8 0 R] >>',
    objects: [
      pdfStream(''),
      pdfStream(
        `/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange ${pairs.length} beginbfchar\n${pairs.map(([code, unicode]) => `<${code}> <${unicode}>`).join('\n')}\nendbfchar endcmap end end`,
      ),
      '<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Mapped /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 500 /FontDescriptor 9 0 R >>',
      '<< /Type /FontDescriptor /FontName /Mapped /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>',
    ],
  });

  test('in Hebrew are read from the right, numbers among them from the left', async () => {
    // shin lamom vav mem: "shalom"; then "17" at its left, and a word at the left of that
    const page = mapped([
      ['0001', '05e9'],
      ['0002', '05dc'],
      ['0003', '05d5'],
      ['0004', '05dd'],
      ['0005', '0031'],
      ['0006', '0037'],
    ]);
    const at = (x: number, codes: string) => `BT /F1 10 Tf ${x} 700 Td <${codes}> Tj ET`;
    const content = [at(200, '00050006'), at(300, '0004000300020001'), at(100, '0004000300020001')].join(' ');
    expect(await textOf(rawPage({ ...page, content }))).toBe('שלום\t17\tשלום');
  });

  test('in vertical writing are read from top to bottom, columns from the right', async () => {
    const font = '<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiMin-W3 /Encoding /UniJIS-UCS2-V /DescendantFonts [7 0 R] >>';
    const objects = [
      pdfStream(''),
      '<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiMin-W3 /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> /FontDescriptor 8 0 R >>',
      '<< /Type /FontDescriptor /FontName /HeiseiMin-W3 /Flags 4 /FontBBox [-100 -200 1000 900] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>',
    ];
    const content = 'BT /F1 14 Tf 460 700 Td <67714eac> Tj ET BT /F1 14 Tf 500 700 Td <8acb6c4266f8> Tj ET';
    expect(await textOf(rawPage({ font, objects, content }))).toBe('請求書\n東京');
  });
});
