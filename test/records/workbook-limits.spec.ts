import { handMade, MAIN, packed, read, relations, SHEET, sheetXml, stringsXml, withCells, workbookXml } from '../support/workbooks.js';
import { zipOf } from '../support/sample-files.js';

/** A sheet is read for what it costs; that its cells repeat, and so pack well, costs nothing. */
describe('the cost of a workbook is what bounds it:', () => {
  test('a long text in every row is read', async () => {
    const terms = 'Goods remain our property until they are paid in full. '.repeat(90);
    const rows = Array.from({ length: 4_501 }, (_, n) => `<row><c><v>${n}</v></c><c t="inlineStr"><is><t>${terms}</t></is></c></row>`);
    const bytes = handMade({ [SHEET]: sheetXml(rows.join('')) });
    expect(bytes.length).toBeLessThan(300_000);
    const found = await read(bytes, { maxTextCharacters: 5_000 });
    expect(found).toMatchObject({ sheets: [{ rows: 4_501, columns: 2 }], text: expect.stringMatching(/^One\n0\tGoods/) });
    expect(found.text).toHaveLength(5_000);
  });

  test('hundreds of thousands of references to a text of a megabyte count, and are not put together', async () => {
    const long = 'x'.repeat(1_000_000);
    const row = `<row>${'<c t="s"><v>0</v></c>'.repeat(16_000)}</row>`;
    const found = await read(handMade({ 'xl/sharedStrings.xml': stringsXml(long), [SHEET]: sheetXml(row.repeat(20)) }), {
      maxTextCharacters: 5_000,
    });
    expect(found.characters).toBe(4 + 20 * 16_000 * 1_000_001);
    expect(found.sheets).toMatchObject([{ rows: 20, columns: 16_000 }]);
  }, 120_000);

  test('rows of 16,384 styled cells without a value leave nothing behind', async () => {
    const row = `<row>${'<c s="0"/>'.repeat(16_384)}</row>`;
    const found = await read(handMade({ [SHEET]: sheetXml(`<row><c><v>1</v></c></row>${row.repeat(15)}`) }));
    expect(found).toMatchObject({ text: 'One\n1\n', characters: 6, sheets: [{ rows: 1, columns: 1 }] });
  }, 120_000);

  const claiming = (bytes: number) =>
    zipOf(
      Object.fromEntries(
        Object.entries({
          'xl/workbook.xml': workbookXml('<sheet name="One" r:id="rId1"/>'),
          'xl/_rels/workbook.xml.rels': relations(['rId1', 'worksheet', 'worksheets/sheet1.xml']),
          [SHEET]: sheetXml(''),
        }).map(([name, text]) => [name, Buffer.from(text)]),
      ),
      bytes,
    );

  test('one that claims to unpack to gigabytes is not unpacked', async () => {
    await expect(read(claiming(2_000_000_000))).rejects.toThrow('its list of sheets unpacks to more than 16777216 bytes');
  });

  test('a sheet that claims to unpack to more than a gigabyte is not unpacked, nor are many smaller ones together', async () => {
    const big = (claim: number) => {
      const zip = handMade({ [SHEET]: sheetXml('') });
      // The claim of the sheet alone: its entry in the directory is the last one that names it.
      const at = zip.lastIndexOf(SHEET) - 46;
      zip.writeUInt32LE(claim, at + 24);
      return zip;
    };
    await expect(read(big(1_100_000_000))).rejects.toThrow(/unpacks to 11\d{8} bytes; at most 1073741824 are read; split it/);
    const sheets = Array.from({ length: 40 }, (_, n) => `<sheet name="S${n}" r:id="rId1"/>`).join('');
    const cells = `<row>${'<c><v>1</v></c>'.repeat(10)}</row>`.repeat(180_000);
    await expect(read(handMade({ [SHEET]: sheetXml(cells), 'xl/workbook.xml': workbookXml(sheets) }))).rejects.toThrow(
      /unpacks to 1\d{9} bytes/,
    );
  }, 120_000);

  test('texts and styles that would have to be held are refused by their size', async () => {
    const zip = handMade({ 'xl/sharedStrings.xml': stringsXml('a'), [SHEET]: sheetXml('') });
    zip.writeUInt32LE(150_000_000, zip.lastIndexOf('xl/sharedStrings.xml') - 46 + 24);
    await expect(read(zip)).rejects.toThrow(/texts and styles unpack to more than 134217728 bytes/);
  });

  test.each([
    ['elements within each other', '<a>'.repeat(200), /more than 100 elements within each other/],
    ['a text without an end', `<row><c><v>${'1'.repeat(17_000_000)}`, /16777216 characters in one piece/],
    ['a name without an end', `<${'a'.repeat(17_000_000)}`, /16777216 characters in one piece/],
    ['a comment without an end', `<!-- ${'a'.repeat(17_000_000)}`, /16777216 characters in one piece/],
    [
      'a cell of a million characters and more',
      `<row><c t="str"><v>${'a'.repeat(1_100_000)}</v></c></row>`,
      /holds more than 1048576 characters/,
    ],
    ['a row of too many cells', `<row>${'<c r="A1"><v>1</v></c>'.repeat(16_385)}</row>`, /more than 16384 cells/],
    ['a cell beyond the last column', '<row><c r="ZZZ1"><v>1</v></c></row>', /more than 16384 cells/],
    [
      'a row that is there again and again',
      '<row r="1"><c r="A1"><v>1</v></c></row>'.repeat(10_002),
      /more than 10000 of its rows are there twice/,
    ],
  ])('%s', async (_, rows, message) => {
    await expect(read(handMade({ [SHEET]: sheetXml(rows) }))).rejects.toThrow(message);
  });

  test('a hundred thousand attributes, formats and conditions take no longer than their length', async () => {
    const attributes = Array.from({ length: 100_000 }, (_, n) => `a${n}="1"`).join(' ');
    const styles = `<styleSheet xmlns="${MAIN}"><numFmts><numFmt numFmtId="200" formatCode="${'['.repeat(100_000)}"/></numFmts><cellXfs><xf numFmtId="200"/></cellXfs></styleSheet>`;
    expect((await read(withCells(`<c ${attributes}><v>1</v></c>`, { 'xl/styles.xml': styles }))).text).toBe('One\n1\n');
  });

  test('a workbook that names ten thousand sheets and more is refused', async () => {
    const sheets = '<sheet name="One" r:id="rId1"/>'.repeat(10_001);
    await expect(read(handMade({ [SHEET]: sheetXml(''), 'xl/workbook.xml': workbookXml(sheets) }))).rejects.toThrow(
      'it names 10001 sheets; at most 10000 are read',
    );
  });

  test('a zip of too many files is refused', async () => {
    const entries = Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`f${n}`, '']));
    await expect(read(packed(entries))).rejects.toThrow('it holds 10001 files; at most 10000 are read');
  });

  test('reading stops when it is told to', async () => {
    const stop = new AbortController();
    const rows = `<row>${'<c><v>1</v></c>'.repeat(100)}</row>`.repeat(20_000);
    const reading = read(handMade({ [SHEET]: sheetXml(rows) }), { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) });
    await expect(reading).rejects.toThrow('enough');
  });
});
