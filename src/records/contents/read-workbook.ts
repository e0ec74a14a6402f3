import ExcelJS, { type CellValue, type Row } from 'exceljs';
import { Readable } from 'node:stream';
import { Excerpt, type ReadOptions, type SheetContents, unreadable, type WorkbookContents } from './contents.js';
import { ZipDirectory } from './zip-directory.js';

/**
 * The steps of exceljs' streaming reader. Taken whole it believes a zip's stream rather than its directory, unpacks sheets to
 * temporary files, and breaks letters at the borders of chunks; here it only understands the XML that it is handed.
 */
interface WorkbookParser {
  workbookRels?: { Id: string; Target: string }[];
  model?: { sheets?: { name: string; rId: string }[] };
  sharedStrings?: unknown[];
  _parseRels(xml: Readable): Promise<void>;
  _parseWorkbook(xml: Readable): Promise<void>;
  _parseStyles(xml: Readable): Promise<void>;
  _parseSharedStrings(xml: Readable): AsyncIterable<unknown>;
  _parseWorksheet(xml: Readable, number: string): Iterable<{ value: AsyncIterable<Row> }>;
}

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
  private readonly parser = new ExcelJS.stream.xlsx.WorkbookReader(Readable.from([]), {
    sharedStrings: 'cache',
    styles: 'cache',
  }) as unknown as WorkbookParser;
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
    const { parser } = this;
    await this.feed(RELATIONS, (xml) => parser._parseRels(xml));
    await this.feed(WORKBOOK, (xml) => parser._parseWorkbook(xml));
    const sheets = this.listSheets();
    const parts = [STYLES, SHARED_STRINGS, ...sheets.map(({ path }) => path)];
    this.totalBytes = parts.reduce((sum, part) => sum + this.zip.sizeOf(part), this.bytes);
    await this.feed(STYLES, (xml) => parser._parseStyles(xml));
    await this.feed(SHARED_STRINGS, (xml) => drain(parser._parseSharedStrings(xml)));
    parser.sharedStrings ??= [];
    const found: SheetContents[] = [];
    for (const { name, path } of sheets) {
      this.excerpt.add(`${name}\n`);
      const sheet: SheetContents = { name, rows: 0, columns: 0, header: [] };
      await this.feed(path, (xml) => this.readSheet(xml, sheet));
      found.push(sheet);
    }
    return { kind: 'workbook', sheets: found, ...this.excerpt.toText() };
  }

  /** The workbook's sheets in their order, with the files that hold their cells. */
  private listSheets(): { name: string; path: string }[] {
    const targets = new Map((this.parser.workbookRels ?? []).map(({ Id, Target }) => [Id, Target]));
    const sheets = (this.parser.model?.sheets ?? []).map(({ name, rId }) => {
      const target = targets.get(rId) ?? '';
      return { name, path: target.startsWith('/') ? target.slice(1) : `xl/${target}` };
    });
    if (sheets.length === 0) throw unreadable('workbook', 'it names no sheets');
    // A chart on a page of its own has no cells.
    return sheets.filter(({ path }) => path.includes('worksheets/'));
  }

  private async feed(part: string, parse: (xml: Readable) => Promise<void>): Promise<void> {
    if (!this.zip.has(part)) return;
    const xml = Readable.from(this.decoded(part));
    try {
      await parse(xml);
    } finally {
      xml.destroy();
    }
  }

  private async *decoded(part: string): AsyncGenerator<string> {
    const decoder = new TextDecoder();
    for await (const chunk of (await this.zip.read(part)) as AsyncIterable<Buffer>) {
      this.options.signal.throwIfAborted();
      yield decoder.decode(chunk, { stream: true });
      this.bytes += chunk.length;
      if (this.totalBytes > 0) this.options.onProgress((100 * this.bytes) / this.totalBytes);
    }
  }

  private async readSheet(xml: Readable, sheet: SheetContents): Promise<void> {
    for (const { value: rows } of this.parser._parseWorksheet(xml, sheet.name)) {
      for await (const row of rows) this.readRow(row, sheet);
    }
  }

  private readRow(row: Row, sheet: SheetContents): void {
    const texts: string[] = [];
    let lastColumn = 0;
    row.eachCell((cell, column) => {
      const text = textOf(cell.value);
      if (text === '') return;
      texts.push(text);
      lastColumn = column;
    });
    if (texts.length === 0) return;
    this.cells += texts.length;
    if (this.cells > MAX_CELLS) throw unreadable('workbook', `it has more than ${MAX_CELLS} cells; split it`);
    sheet.rows += 1;
    sheet.columns = Math.max(sheet.columns, lastColumn);
    if (sheet.rows === 1) sheet.header = texts.slice(0, MAX_HEADER_CELLS).map((text) => text.slice(0, MAX_HEADER_CHARACTERS));
    this.excerpt.add(`${texts.join('\t')}\n`);
  }
}

async function drain(steps: AsyncIterable<unknown>): Promise<void> {
  for await (const step of steps) void step;
}

/** What a cell shows: a formula its result, formatted text its letters, a date its ISO form. */
function textOf(value: CellValue | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isNaN(value) ? '' : String(value);
  if (typeof value === 'boolean') return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString().replace('T00:00:00.000Z', '');
  if ('richText' in value) return value.richText.map(({ text }) => text).join('');
  if ('error' in value) return value.error;
  return 'result' in value ? textOf(value.result) : '';
}
