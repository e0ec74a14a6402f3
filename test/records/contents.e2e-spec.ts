import { rm, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Contents, ReadOptions } from '../../src/records/contents/contents.js';
import { FileContents } from '../../src/records/contents/file-contents.js';
import { FileStore } from '../../src/records/file-store.js';
import { csvOf, encryptedPdf, pdfOf, workbookOf, zipOf } from '../support/sample-files.js';
import { startTestService, type TestService } from '../support/service.js';

describe('the contents of stored files', () => {
  let service: TestService;
  let files: FileStore;
  let contents: FileContents;

  beforeAll(async () => {
    service = await startTestService();
    files = service.app.get(FileStore, { strict: false });
    contents = service.app.get(FileContents, { strict: false });
  });

  afterAll(() => service.close());

  const store = (name: string, bytes: Buffer | AsyncIterable<Buffer>, mediaType = 'application/octet-stream') =>
    files.save(Buffer.isBuffer(bytes) ? Readable.from([bytes]) : bytes, { tenant: 'acme', name, mediaType });

  const read = async <Kind extends Contents['kind']>(kind: Kind, name: string, bytes: Buffer, options?: ReadOptions) => {
    const found = await contents.read('acme', (await store(name, bytes)).id, options);
    expect(found.kind).toBe(kind);
    return found as Extract<Contents, { kind: Kind }>;
  };

  const refusal = async (name: string, bytes: Buffer) => contents.read('acme', (await store(name, bytes)).id);

  describe('a PDF', () => {
    test('tells its pages and their text, page by page', async () => {
      const percents: number[] = [];
      const found = await read('pdf', 'menu.pdf', await pdfOf('Soup of the day', 'Main course', 'Cheese'), {
        onProgress: (percent) => percents.push(Math.round(percent)),
      });
      expect(found).toEqual({
        kind: 'pdf',
        pages: 3,
        text: 'Soup of the day\nMain course\nCheese',
        characters: 34,
        truncated: false,
      });
      expect(percents).toEqual([33, 67, 100]);
    });

    test('is read as far as it was asked for, and says that there is more', async () => {
      const found = await read('pdf', 'menu.pdf', await pdfOf('Soup of the day', 'Main course'), { maxTextCharacters: 4 });
      expect(found).toMatchObject({ pages: 2, text: 'Soup', characters: 16, truncated: true });
    });

    test('is found by its bytes, whatever it is called', async () => {
      expect(await read('pdf', 'menu.csv', await pdfOf('Soup'))).toMatchObject({ pages: 1 });
    });

    test('that wants a password cannot be opened', async () => {
      await expect(refusal('secret.pdf', encryptedPdf())).rejects.toMatchObject({
        code: 'UNPROCESSABLE',
        message: expect.stringMatching(/^this PDF cannot be opened: .*password/i),
      });
    });

    test('that is broken cannot be opened', async () => {
      await expect(refusal('broken.pdf', Buffer.from('%PDF-1.7\nnothing more'))).rejects.toMatchObject({
        code: 'UNPROCESSABLE',
        message: expect.stringMatching(/^this PDF cannot be opened: \w/),
      });
    });

    test('is left in the middle when the signal says so', async () => {
      const stop = new AbortController();
      const pages: number[] = [];
      const bytes = await pdfOf(...Array.from({ length: 500 }, (_, page) => `Page ${page}`));
      const reading = read('pdf', 'long.pdf', bytes, {
        signal: stop.signal,
        onProgress: (percent) => {
          pages.push(percent);
          if (percent >= 20) stop.abort(new Error('enough'));
        },
      });
      await expect(reading).rejects.toThrow('enough');
      // The reading thread may be some pages ahead of the news.
      expect(Math.max(...pages)).toBeLessThan(100);
    });
  });

  describe('a workbook', () => {
    test('tells the rows, columns and header of each sheet, in their order', async () => {
      const bytes = await workbookOf({
        Prices: [
          ['Dish', 'Price', 'Since'],
          ['Soup', 4.5, new Date('2026-01-31T00:00:00Z')],
          ['Fish', { formula: '2*9', result: 18 }, new Date('2026-02-28T12:30:00Z')],
        ],
        Empty: [],
        Notes: [[], ['Über', null, { richText: [{ text: 'so' }, { text: 'fort' }] }], [true]],
      });
      const found = await read('workbook', 'prices.xlsx', bytes);
      expect(found.sheets).toEqual([
        { name: 'Prices', rows: 3, columns: 3, header: ['Dish', 'Price', 'Since'] },
        { name: 'Empty', rows: 0, columns: 0, header: [] },
        { name: 'Notes', rows: 2, columns: 3, header: ['Über', '', 'sofort'] },
      ]);
      expect(found.text).toBe(
        'Prices\nDish\tPrice\tSince\nSoup\t4.5\t2026-01-31\nFish\t18\t2026-02-28T12:30:00.000Z\nEmpty\nNotes\nÜber\t\tsofort\ntrue\n',
      );
      expect(found.characters).toBe(found.text.length);
    });

    test('keeps letters whole that lie at the border of two pieces', async () => {
      const rows = Array.from({ length: 5_000 }, (_, index) => ['ä€𝄞'.repeat(1 + (index % 7)), index]);
      const { text } = await read('workbook', 'letters.xlsx', await workbookOf({ All: rows }), { maxTextCharacters: 1_000_000 });
      expect(text).toBe(`All\n${rows.map((row) => `${row.join('\t')}\n`).join('')}`);
    });

    test('that is cut off cannot be opened', async () => {
      const bytes = await workbookOf({ Prices: [['Dish', 'Price']] });
      await expect(refusal('cut.xlsx', bytes.subarray(0, bytes.length - 200))).rejects.toMatchObject({
        code: 'UNPROCESSABLE',
        message: expect.stringMatching(/^this workbook cannot be opened: .*central directory/i),
      });
    });

    test('that is damaged in the middle cannot be opened', async () => {
      const bytes = await workbookOf({ Prices: Array.from({ length: 2_000 }, (_, n) => [`Dish ${n * 7919}`, n]) });
      bytes.fill(0x55, 2_000, 6_000);
      await expect(refusal('damaged.xlsx', bytes)).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
    });

    test('is not any other zip', async () => {
      await expect(refusal('other.xlsx', zipOf({ 'a.txt': Buffer.from('text') }))).rejects.toMatchObject({
        code: 'UNPROCESSABLE',
        message: expect.stringMatching(/^this workbook cannot be opened: it is a zip file without an Excel workbook in it/),
      });
    });

    const PARTS = {
      '[Content_Types].xml': Buffer.from('<Types/>'),
      'xl/workbook.xml': Buffer.from('<workbook><sheets><sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>'),
      'xl/_rels/workbook.xml.rels': Buffer.from(
        '<Relationships><Relationship Id="rId1" Type="worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
      ),
    };

    test('that unpacks to more than it claims is left when that shows', async () => {
      const sheet = Buffer.from(`<worksheet><sheetData>${'<row r="1"/>'.repeat(200_000)}</sheetData></worksheet>`);
      const honest = Object.entries(PARTS).map(([name, text]) => [name, Buffer.from(text.toString().padEnd(200))] as const);
      const parts = { ...Object.fromEntries(honest), 'xl/worksheets/sheet1.xml': sheet };
      await expect(refusal('bomb.xlsx', zipOf(parts, 200))).rejects.toMatchObject({
        code: 'UNPROCESSABLE',
        message: expect.stringMatching(/too many bytes/),
      });
    });

    test('that claims to unpack to gigabytes is not unpacked', async () => {
      const parts = { ...PARTS, 'xl/worksheets/sheet1.xml': Buffer.from('<worksheet/>') };
      await expect(refusal('bomb.xlsx', zipOf(parts, 2_000_000_000))).rejects.toMatchObject({
        code: 'UNPROCESSABLE',
        message: expect.stringMatching(/unpacks to more than/),
      });
    });
  });

  describe('a CSV', () => {
    test('tells its rows and the type of each column', async () => {
      const bytes = csvOf([
        ['id', 'price', 'sold', 'day', 'name', 'note', 'zip', ''],
        [1, 2.5, 'true', '2026-01-31', 'Soup, hot', '', '00501', 'x'],
        [-20, 3, 'FALSE', '2026-02-28T12:00:00Z', 'He said "no"', '', '10115', ''],
        [300, 12.25, 'true', '', 'two\nlines', '', '20095', ''],
      ]);
      expect(await read('csv', 'sales.csv', bytes)).toEqual({
        kind: 'csv',
        delimiter: ',',
        rows: 3,
        raggedRows: 0,
        columns: [
          { name: 'id', type: 'integer' },
          { name: 'price', type: 'number' },
          { name: 'sold', type: 'boolean' },
          { name: 'day', type: 'date' },
          { name: 'name', type: 'text' },
          { name: 'note', type: 'empty' },
          { name: 'zip', type: 'text' },
          { name: 'column 8', type: 'text' },
        ],
        text: expect.stringContaining('300\t12.25\ttrue\t\ttwo lines\t\t20095\t\n'),
        characters: expect.any(Number),
        warnings: ['column 8 has no name and is called "column 8"', 'the column "zip" stays text: 00501 (line 2) is no plain number'],
      });
    });

    test('with semicolons, decimal commas and a byte order mark is read the same', async () => {
      const bytes = csvOf(
        [
          ['Gericht', 'Preis', 'Tag'],
          ['Suppe', '4,5', '31.01.2026'],
        ],
        { delimiter: ';', bom: true },
      );
      expect(await read('csv', 'preise.csv', bytes)).toMatchObject({
        delimiter: ';',
        columns: [
          { name: 'Gericht', type: 'text' },
          { name: 'Preis', type: 'number' },
          { name: 'Tag', type: 'date' },
        ],
      });
    });

    test.each([
      ['with line breaks and commas in its header', '"Price,\n(EUR, net)";Dish\r\n4,5;Soup\r\n'],
      ['after blank lines', '\r\n\r\nPrice;Dish\r\n4,5;Soup\r\n'],
      ['with the line ends of old', 'Price;Dish\r4,5;Soup\r1,5;Tea\r2,5;Cake\r'],
    ])('%s has its cells parted where they are', async (_, text) => {
      const found = await read('csv', 'prices.csv', Buffer.from(text));
      expect(found).toMatchObject({ delimiter: ';', raggedRows: 0, columns: [{ type: 'number' }, { name: 'Dish', type: 'text' }] });
    });

    test.each([
      ['little', Buffer.from('\ufeffname,size\nÜ,1\n', 'utf16le')],
      ['big', Buffer.from('\ufeffname,size\nÜ,1\n', 'utf16le').swap16()],
    ])('in UTF-16, %s end first, is read the same', async (_, bytes) => {
      expect(await read('csv', 'sizes.csv', bytes)).toMatchObject({
        rows: 1,
        text: 'name\tsize\nÜ\t1\n',
        columns: [{ name: 'name' }, { name: 'size' }],
      });
    });

    test('counts rows that are longer or shorter than the header, and passes over empty lines', async () => {
      const found = await read('csv', 'ragged.csv', Buffer.from('a,b\n1,2\n3\n\n4,5,6\r\n7,8'));
      expect(found).toMatchObject({
        rows: 4,
        raggedRows: 2,
        text: 'a\tb\n1\t2\n3\t\n4\t5\t6\n7\t8\n',
        columns: [
          { name: 'a', type: 'integer' },
          { name: 'b', type: 'integer' },
          { name: 'column 3', type: 'integer' },
        ],
        warnings: [
          '1 row (line 3) with fewer cells than the header: null fills them up',
          '1 row (line 5) with values beyond the header: these have columns of their own',
        ],
      });
    });

    test('in a charset of before Unicode is read, and that it is a guess is told', async () => {
      const found = await read('csv', 'gerichte.csv', Buffer.from('Gericht;Preis\nSp\xe4tzle;4,5\n'.repeat(2_000), 'latin1'));
      expect(found).toMatchObject({
        charset: 'windows-1252',
        rows: 3_999,
        text: expect.stringMatching(/^Gericht\tPreis\nSpätzle\t4,5\n/),
        warnings: expect.arrayContaining([expect.stringMatching(/^read as windows-1252, which is a guess/)]),
      });
    });

    test('with a title and notes keeps them in its text, and out of its rows', async () => {
      const found = await read('csv', 'report.csv', Buffer.from('Monthly report\n\nid;name\n1;Soup\n2;Tea\n\nSource: the kitchen\n'));
      expect(found).toMatchObject({
        rows: 2,
        columns: [{ name: 'id' }, { name: 'name' }],
        text: 'Monthly report\nid\tname\n1\tSoup\n2\tTea\nSource: the kitchen\n',
        warnings: [
          'line 1 is passed over as a title above the table: "Monthly report"',
          'line 7 is passed over as a note below the table: "Source: the kitchen"',
        ],
      });
    });

    test('with rows that cannot be read tells them, and reads the others', async () => {
      const found = await read('csv', 'damaged.csv', Buffer.from(`a,b\n${'1,2\n'.repeat(40_000)}x\0,y\n"3,4\n5,6\n`));
      expect(found).toMatchObject({
        rows: 40_001,
        warnings: ['2 rows (lines 40002, 40003) that cannot be read; line 40002: a text has NUL characters, which cannot be stored'],
      });
    });

    test.each([
      ['is empty', Buffer.from('\n\n'), /empty; its first line must name the columns/],
      ['is no text', Buffer.from('name\0size\n'.repeat(1_000)), /file of type|no text/],
      [
        'never closes a quote in its only row',
        Buffer.from('a,b\n"1,2\n'),
        /none of its rows can be read; line 2: a quote opens a cell and is never closed/,
      ],
      ['never closes a quote in its header', Buffer.from('a,"b\n1,2\n'), /line 1: a quote opens a cell and is never closed/],
      [
        'has too many columns',
        Buffer.from(Array.from({ length: 1_001 }, (_, n) => `c${n}`).join()),
        /^this CSV cannot be opened: it has 1001 columns; at most 1000 are read$/,
      ],
    ])('that %s cannot be opened', async (_, bytes, message) => {
      await expect(refusal('wrong.csv', bytes)).rejects.toMatchObject({ code: 'UNPROCESSABLE', message: expect.stringMatching(message) });
    });
  });

  test('other text tells its lines', async () => {
    expect(await read('text', 'notes.txt', Buffer.from('one\ntwo\nthree'))).toEqual({
      kind: 'text',
      lines: 3,
      text: 'one\ntwo\nthree',
      characters: 13,
    });
  });

  test.each([
    ['CRLF', Buffer.from('one\r\ntwo\r\n'), undefined],
    ['CR', Buffer.from('one\rtwo'), undefined],
    ['UTF-16', Buffer.from('\ufeffone\ntwo\n', 'utf16le'), 'utf-16le'],
  ])('other text with %s has two lines', async (_, bytes, charset) => {
    const found = await read('text', 'notes.txt', bytes);
    expect(found.lines).toBe(2);
    expect(found.charset).toBe(charset);
    expect(found).not.toHaveProperty('warnings');
  });

  test('other text in a charset of before Unicode, or damaged, is read and told', async () => {
    expect(await read('text', 'notes.txt', Buffer.from('Spätzle für Müller', 'latin1'))).toMatchObject({
      text: 'Spätzle für Müller',
      warnings: [expect.stringMatching(/^read as windows-1252, which is a guess/)],
    });
    expect(await read('text', 'notes.txt', Buffer.concat([Buffer.from('über äußerst '), Buffer.from([0xe9])]))).toMatchObject({
      text: 'über äußerst \ufffd',
      warnings: ['1 character is not valid utf-8'],
    });
  });

  test('an image is named for what it is', async () => {
    const png = Buffer.from(
      '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c63000100000500010d0a2db4',
      'hex',
    );
    await expect(refusal('photo.csv', png)).rejects.toMatchObject({ code: 'UNPROCESSABLE', message: expect.stringContaining('image/png') });
  });

  test('a file of another tenant is not found', async () => {
    const { id } = await store('menu.pdf', await pdfOf('Soup'));
    await expect(contents.read('globex', id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('bytes that are away may come back', async () => {
    const bytes = await workbookOf({ Prices: [['Dish']] });
    const file = await store('prices.xlsx', bytes);
    await rm(files.pathOf(file));
    await expect(contents.read('acme', file.id)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `file ${file.id} cannot be used: its bytes are gone from the service's disk (DATA_DIR); store it again with POST /api/files`,
    });
    await writeFile(files.pathOf(file), bytes);
    expect(await contents.read('acme', file.id)).toMatchObject({ kind: 'workbook' });
  });

  test.each<[what: string, damage: (bytes: Buffer) => Buffer, how: RegExp]>([
    ['cut', (bytes) => bytes.subarray(0, bytes.length - 1), /it has \d+ bytes, and \d+ were stored/],
    ['grown', (bytes) => Buffer.concat([bytes, Buffer.from(' ')]), /it has \d+ bytes, and \d+ were stored/],
    ['emptied', () => Buffer.alloc(0), /it has 0 bytes, and \d+ were stored/],
    ['changed by one bit', (bytes) => Buffer.from(bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte))), /SHA-256 differs/],
  ])('a stored file that was %s is refused, and not read as what is left', async (_what, damage, how) => {
    const table = Buffer.from('name,amount\n' + 'Keller,100\n'.repeat(50));
    for (const [name, bytes] of [
      ['rows.csv', table],
      ['menu.pdf', await pdfOf('Soup')],
      ['prices.xlsx', await workbookOf({ A: [['b']] })],
    ] as const) {
      const file = await store(name, bytes);
      await writeFile(files.pathOf(file), damage(bytes));
      await expect(contents.read('acme', file.id)).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(how) });
    }
  });
});
