import { AppError } from '../../common/app-error.js';
import { Excerpt, isDiskError, messageOf, type ReadOptions, type SheetContents, unreadable, type WorkbookContents } from './contents.js';
import { decodeXml } from './decode-xml.js';
import { findWorkbook, relationsIn } from './find-workbook.js';
import type { CellContext } from './read-cell.js';
import { readSheet, type SheetListener } from './read-sheet.js';
import { SheetRows } from './sheet-rows.js';
import { readNumberFormats, readSharedStrings, readSheetList, type SheetList, type SheetPlace } from './workbook-parts.js';
import { WorkbookWarnings } from './workbook-warnings.js';
import { ZipDirectory } from './zip-directory.js';

/** Unpacked bytes of the parts that are read, a sheet as often as the workbook names it: about a minute of a processor's time. */
const MAX_BYTES = 1_073_741_824;
/** Shared strings and styles are held in memory while the sheets are read. */
const MAX_HELD_BYTES = 134_217_728;
const MAX_LIST_BYTES = 16_777_216;
const MAX_SHEETS = 10_000;
const MAX_CELLS = 20_000_000;
/** Of a sheet's name in a sentence. */
const MAX_NAME = 60;
const MAX_HEADER_CELLS = 100;
const MAX_HEADER_CHARACTERS = 200;

/**
 * Reads a workbook sheet by sheet, row by row; no more than its shared strings and one chunk is held. A part that is missing or broken
 * costs what is in it, which the warnings tell.
 * @throws AppError UNPROCESSABLE when it is none, when it is too large, and when none of its sheets can be read
 */
export async function readWorkbook(path: string, options: Required<ReadOptions>): Promise<WorkbookContents> {
  const zip = await ZipDirectory.open(path);
  try {
    const found = await findWorkbook(zip);
    if ('otherwise' in found) throw unreadable('workbook', `it is ${found.otherwise}`);
    return await new WorkbookReading(zip, found.part, options).read();
  } finally {
    zip.close();
  }
}

/** A sheet, and the part with its cells if it has one. */
type Sheet = SheetPlace & { part?: string };

class WorkbookReading {
  private readonly excerpt: Excerpt;
  private readonly warnings = new WorkbookWarnings();
  /** What was last found missing or broken. */
  private failure = '';
  /** Why the first of its sheets that cannot be read cannot. */
  private sheetFailure?: string;
  private cells = 0;
  private bytes = 0;
  private totalBytes = 0;

  constructor(
    private readonly zip: ZipDirectory,
    private readonly workbook: string,
    private readonly options: Required<ReadOptions>,
  ) {
    this.excerpt = new Excerpt(options.maxTextCharacters);
  }

  async read(): Promise<WorkbookContents> {
    if (this.zip.sizeOf(this.workbook) > MAX_LIST_BYTES) {
      throw unreadable('workbook', `its list of sheets unpacks to more than ${MAX_LIST_BYTES} bytes`);
    }
    const list = await readSheetList(this.textOf(this.workbook));
    const { sheets, styles, sharedStrings } = await this.findParts(list);
    this.limitCost(sheets, [styles, sharedStrings]);
    const context: CellContext = { ...list, formats: await this.readFormats(styles), sharedStrings: await this.readStrings(sharedStrings) };
    const read: SheetContents[] = [];
    for (const sheet of sheets) {
      const contents = await this.readSheet(sheet, context);
      if (contents) read.push(contents);
    }
    if (read.length === 0 && this.sheetFailure) throw unreadable('workbook', this.sheetFailure);
    const warnings = this.warnings.toTexts();
    return { kind: 'workbook', sheets: read, ...this.excerpt.toText(), ...(warnings.length > 0 && { warnings }) };
  }

  /** Where the workbook's own list of references says they are, and else where such files usually have them. */
  private async findParts({ sheets }: SheetList): Promise<{ sheets: Sheet[]; styles?: string; sharedStrings?: string }> {
    if (sheets.length === 0) throw unreadable('workbook', 'it names no sheets');
    if (sheets.length > MAX_SHEETS) throw unreadable('workbook', `it names ${sheets.length} sheets; at most ${MAX_SHEETS} are read`);
    const relations = await relationsIn(this.zip, this.workbook);
    const folder = this.workbook.slice(0, this.workbook.lastIndexOf('/') + 1);
    const partOf = (type: string): string | undefined => {
      const usual = `${folder}${type.toLowerCase()}.xml`;
      return relations.find((relation) => relation.type === type)?.part ?? (this.zip.has(usual) ? usual : undefined);
    };
    const parts = new Map(relations.map(({ id, part }) => [id, part]));
    if (relations.length === 0) {
      this.warnings.add('the workbook does not tell where its parts are; they were looked for where such files usually have them');
      sheets.forEach(({ relation }, index) => parts.set(relation, `${folder}worksheets/sheet${index + 1}.xml`));
    }
    const placed = sheets.map((sheet): Sheet => ({ ...sheet, part: parts.get(sheet.relation) }));
    return { sheets: placed, styles: partOf('styles'), sharedStrings: partOf('sharedStrings') };
  }

  private limitCost(sheets: Sheet[], held: (string | undefined)[]): void {
    const sizeOf = (parts: (string | undefined)[]): number => parts.reduce((sum, part) => sum + (part ? this.zip.sizeOf(part) : 0), 0);
    if (sizeOf(held) > MAX_HELD_BYTES) {
      throw unreadable('workbook', `its texts and styles unpack to more than ${MAX_HELD_BYTES} bytes; split it`);
    }
    this.totalBytes = sizeOf([this.workbook, ...held, ...sheets.map(({ part }) => part)]);
    if (this.totalBytes > MAX_BYTES) {
      throw unreadable('workbook', `it unpacks to ${this.totalBytes} bytes; at most ${MAX_BYTES} are read; split it`);
    }
  }

  private async readFormats(part: string | undefined): Promise<CellContext['formats']> {
    if (!part) return [];
    return (await this.attempt(part, 'its styles', () => readNumberFormats(this.textOf(part)))) ?? [];
  }

  private async readStrings(part: string | undefined): Promise<string[]> {
    const strings: string[] = [];
    if (part) await this.attempt(part, 'its shared texts', () => readSharedStrings(this.textOf(part), strings));
    return strings;
  }

  /** @returns undefined for what is no sheet of cells, and for one whose cells cannot be read */
  private async readSheet({ name, state, relation, part = '' }: Sheet, context: CellContext): Promise<SheetContents | undefined> {
    if (relation === '' && part === '') return this.leaveOut(name, 'it has no cells of its own');
    const rows = new SheetRows(Math.max(0, this.excerpt.free - name.length - 1));
    const found = await this.attempt(part, `the cells of its sheet ${name.slice(0, MAX_NAME)}`, async () => ({
      otherwise: await readSheet(this.textOf(part), context, this.listenerOf(name, rows)),
    }));
    if (!found) {
      this.sheetFailure ??= this.failure;
      return undefined;
    }
    if (found.otherwise) return this.leaveOut(name, `it is ${found.otherwise}`);
    return this.tell(rows, { name, state });
  }

  private listenerOf(name: string, rows: SheetRows): SheetListener {
    const note: SheetListener['note'] = (oddity, at, count) => this.warnings.note(oddity, `${name.slice(0, MAX_NAME)}!${at}`, count);
    return {
      note,
      row: (row) => {
        this.cells += row.cells.length;
        if (this.cells > MAX_CELLS) throw unreadable('workbook', `it has more than ${MAX_CELLS} cells; split it`);
        if (!rows.add(row)) note('disordered', String(row.number));
      },
    };
  }

  private leaveOut(name: string, why: string): undefined {
    this.warnings.add(`the sheet ${name.slice(0, MAX_NAME)} is left out: ${why}`);
  }

  private tell(rows: SheetRows, { name, state }: Pick<SheetPlace, 'name' | 'state'>): SheetContents {
    this.excerpt.add(`${name}\n`);
    this.excerpt.add(rows.text(), rows.characters);
    const header = rows.header().slice(0, MAX_HEADER_CELLS);
    const sheet: SheetContents = {
      name,
      rows: rows.rows,
      columns: rows.columns,
      header: header.map((text) => text.slice(0, MAX_HEADER_CHARACTERS)),
    };
    if (this.options.cells) sheet.cells = rows.grid();
    if (state !== 'hidden' && state !== 'veryHidden') return sheet;
    this.warnings.add(`the sheet ${name.slice(0, MAX_NAME)} is hidden; it is read like the others`);
    return { ...sheet, state };
  }

  /** Reads a part; when it is missing or broken, the warnings say so. */
  private async attempt<Result>(part: string, what: string, read: () => Promise<Result>): Promise<Result | undefined> {
    try {
      if (this.zip.has(part)) return await read();
      this.failure = `${what} are missing`;
    } catch (error) {
      this.options.signal.throwIfAborted();
      if (error instanceof AppError || isDiskError(error)) throw error;
      this.failure = `${what} are broken: ${messageOf(error)}`;
    }
    this.warnings.add(this.failure);
    return undefined;
  }

  private async *textOf(part: string): AsyncGenerator<string> {
    let isOdd = false;
    for await (const text of decodeXml(this.bytesOf(part))) {
      isOdd ||= text.includes('\ufffd');
      yield text;
    }
    if (isOdd) this.warnings.note('oddLetter', part);
    if (this.zip.repeated.has(part)) this.warnings.note('repeated', part);
  }

  private async *bytesOf(part: string): AsyncGenerator<Buffer> {
    for await (const chunk of this.zip.read(part)) {
      this.options.signal.throwIfAborted();
      yield chunk;
      this.bytes += chunk.length;
      if (this.totalBytes > 0) this.options.onProgress((100 * this.bytes) / this.totalBytes);
    }
  }
}
