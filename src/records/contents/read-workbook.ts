import { Excerpt, type ReadOptions, type SheetContents, unreadable, type WorkbookContents } from './contents.js';
import { type CellContext, readSheet, type SheetRow } from './read-sheet.js';
import { readDateStyles, readRelations, readSharedStrings, readSheetList, type SheetList } from './workbook-parts.js';
import { ZipDirectory } from './zip-directory.js';

const WORKBOOK = 'xl/workbook.xml';
const RELATIONS = 'xl/_rels/workbook.xml.rels';
const STYLES = 'xl/styles.xml';
const SHARED_STRINGS = 'xl/sharedStrings.xml';

/** Shared strings and styles are held in memory while the sheets are read. */
const MAX_HELD_BYTES = 134_217_728;
const MAX_CELLS = 20_000_000;
const MAX_HEADER_CELLS = 100;
const MAX_HEADER_CHARACTERS = 200;

export function isWorkbook(zip: ZipDirectory): boolean {
  const parts = [WORKBOOK, RELATIONS, '[Content_Types].xml'];
  return parts.every((name) => zip.has(name)) && zip.names.some((name) => name.startsWith('xl/worksheets/'));
}

/** Reads a workbook sheet by sheet, row by row; no more than its shared strings and one chunk is held. */
export async function readWorkbook(path: string, options: Required<ReadOptions>): Promise<WorkbookContents> {
  const zip = await ZipDirectory.open(path);
  try {
    if (!isWorkbook(zip)) throw unreadable('workbook', 'it is a zip file without an Excel workbook in it');
    if (zip.sizeOf(SHARED_STRINGS) + zip.sizeOf(STYLES) > MAX_HELD_BYTES) {
      throw unreadable('workbook', `its texts and styles unpack to more than ${MAX_HELD_BYTES} bytes; split it`);
    }
    return await new WorkbookReading(zip, options).read();
  } finally {
    zip.close();
  }
}

class WorkbookReading {
  private readonly excerpt: Excerpt;
  private cells = 0;
  private bytes = 0;
  private totalBytes = 0;

  constructor(
    private readonly zip: ZipDirectory,
    private readonly options: Required<ReadOptions>,
  ) {
    this.excerpt = new Excerpt(options.maxTextCharacters);
  }

  async read(): Promise<WorkbookContents> {
    const relations = await readRelations(this.textOf(RELATIONS));
    const list = await readSheetList(this.textOf(WORKBOOK));
    const sheets = this.placesOf(list, relations);
    const parts = [STYLES, SHARED_STRINGS, ...sheets.map(({ path }) => path)];
    this.totalBytes = parts.reduce((sum, part) => sum + this.zip.sizeOf(part), this.bytes);
    const context: CellContext = {
      from1904: list.from1904,
      dateStyles: this.zip.has(STYLES) ? await readDateStyles(this.textOf(STYLES)) : [],
      sharedStrings: this.zip.has(SHARED_STRINGS) ? await readSharedStrings(this.textOf(SHARED_STRINGS)) : [],
    };
    const found: SheetContents[] = [];
    for (const { name, path } of sheets) {
      this.excerpt.add(`${name}\n`);
      const sheet: SheetContents = { name, rows: 0, columns: 0, header: [] };
      await readSheet(this.textOf(path), context, (row) => this.addRow(row, sheet));
      found.push(sheet);
    }
    return { kind: 'workbook', sheets: found, ...this.excerpt.toText() };
  }

  /** The workbook's sheets in their order, with the files that hold their cells. */
  private placesOf({ sheets }: SheetList, relations: Map<string, string>): { name: string; path: string }[] {
    if (sheets.length === 0) throw unreadable('workbook', 'it names no sheets');
    const places = sheets.map(({ name, relation }) => {
      const target = relations.get(relation) ?? '';
      return { name, path: target.startsWith('/') ? target.slice(1) : `xl/${target}` };
    });
    // A chart or a dialog on a page of its own has no cells.
    const withCells = places.filter(({ path }) => !/(?:chart|dialog)sheets\//.test(path));
    const missing = withCells.find(({ path }) => !this.zip.has(path));
    if (missing) throw unreadable('workbook', `the cells of its sheet ${missing.name} are missing`);
    return withCells;
  }

  private async *textOf(part: string): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    for await (const chunk of (await this.zip.read(part)) as AsyncIterable<Buffer>) {
      this.options.signal.throwIfAborted();
      yield decoder.decode(chunk, { stream: true });
      this.bytes += chunk.length;
      if (this.totalBytes > 0) this.options.onProgress((100 * this.bytes) / this.totalBytes);
    }
  }

  private addRow({ texts, lastColumn }: SheetRow, sheet: SheetContents): void {
    this.cells += texts.length;
    if (this.cells > MAX_CELLS) throw unreadable('workbook', `it has more than ${MAX_CELLS} cells; split it`);
    sheet.rows += 1;
    sheet.columns = Math.max(sheet.columns, lastColumn);
    if (sheet.rows === 1) sheet.header = texts.slice(0, MAX_HEADER_CELLS).map((text) => text.slice(0, MAX_HEADER_CHARACTERS));
    this.excerpt.add(`${texts.join('\t')}\n`);
  }
}
