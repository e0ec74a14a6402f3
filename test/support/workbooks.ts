import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBufferPromise } from 'yauzl';
import type { ReadOptions, WorkbookContents } from '../../src/records/contents/contents.js';
import { readWorkbook } from '../../src/records/contents/read-workbook.js';
import { zipOf } from './sample-files.js';

export const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
export const DOCUMENT_RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const PACKAGE_RELATIONS = 'http://schemas.openxmlformats.org/package/2006/relationships';

/** Parts of a workbook by their names; undefined leaves one out that would be there. */
export type Parts = Record<string, string | Buffer | undefined>;

/** What is read of a workbook, as a service that was handed it would. */
export async function read(bytes: Buffer, options: ReadOptions = {}): Promise<WorkbookContents> {
  const folder = await mkdtemp(join(tmpdir(), 'batchwise-workbook-'));
  try {
    const path = join(folder, 'book.xlsx');
    await writeFile(path, bytes);
    const signal = new AbortController().signal;
    return await readWorkbook(path, { signal, onProgress: () => undefined, maxTextCharacters: 1_000_000, cells: false, ...options });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The cells of its first sheet, row by row; line breaks within a cell would make two rows of one. */
export async function rowsOf(bytes: Buffer): Promise<string[][]> {
  return (await read(bytes, { cells: true })).sheets[0]!.cells!;
}

/** Relationships as [id, type, target]. */
export function relations(...all: [id: string, type: string, target: string][]): string {
  const each = all.map(([id, type, target]) => `<Relationship Id="${id}" Type="${DOCUMENT_RELATIONS}/${type}" Target="${target}"/>`);
  return `<?xml version="1.0"?><Relationships xmlns="${PACKAGE_RELATIONS}">${each.join('')}</Relationships>`;
}

/** A list of sheets with some elements before and after it. */
export function workbookXml(sheets: string, before = '', after = ''): string {
  return `<workbook xmlns="${MAIN}" xmlns:r="${DOCUMENT_RELATIONS}">${before}<sheets>${sheets}</sheets>${after}</workbook>`;
}

export function sheetXml(rows: string, after = ''): string {
  return `<worksheet xmlns="${MAIN}"><sheetData>${rows}</sheetData>${after}</worksheet>`;
}

export function stringsXml(...texts: string[]): string {
  return `<sst xmlns="${MAIN}">${texts.map((text) => `<si><t xml:space="preserve">${text}</t></si>`).join('')}</sst>`;
}

/** Styles of cells, one for each format: the number of one that all programs know, or a code. */
export function stylesXml(...formats: (number | string)[]): string {
  const own = formats.map((format, at) =>
    typeof format === 'string' ? `<numFmt numFmtId="${200 + at}" formatCode="${escaped(format)}"/>` : '',
  );
  const xfs = formats.map((format, at) => `<xf numFmtId="${typeof format === 'string' ? 200 + at : format}"/>`);
  return `<styleSheet xmlns="${MAIN}"><numFmts>${own.join('')}</numFmts><cellXfs>${xfs.join('')}</cellXfs></styleSheet>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A workbook of one sheet "One", written by hand, with some of its parts replaced, added or left out. */
export function handMade(parts: Parts): Buffer {
  return packed({
    '_rels/.rels': relations(['rId1', 'officeDocument', 'xl/workbook.xml']),
    'xl/workbook.xml': workbookXml('<sheet name="One" sheetId="1" r:id="rId1"/>'),
    'xl/_rels/workbook.xml.rels': relations(
      ['rId1', 'worksheet', 'worksheets/sheet1.xml'],
      ['rId2', 'styles', 'styles.xml'],
      ['rId3', 'sharedStrings', 'sharedStrings.xml'],
    ),
    'xl/styles.xml': stylesXml(0),
    'xl/sharedStrings.xml': stringsXml(),
    ...parts,
  });
}

export const SHEET = 'xl/worksheets/sheet1.xml';

/** A workbook of one row of cells, as XML. */
export function withCells(cells: string, parts: Parts = {}): Buffer {
  return handMade({ [SHEET]: sheetXml(`<row r="1">${cells}</row>`), ...parts });
}

export function packed(parts: Parts): Buffer {
  const entries = Object.entries(parts).filter((entry): entry is [string, string | Buffer] => entry[1] !== undefined);
  return zipOf(Object.fromEntries(entries.map(([name, content]) => [name, Buffer.from(content as string)])));
}

/** The parts of a workbook that a library made, to be changed and packed anew. */
export async function unpacked(bytes: Buffer): Promise<Record<string, string>> {
  const zip = await fromBufferPromise(bytes);
  const parts: Record<string, string> = {};
  for await (const entry of zip.eachEntry()) {
    const chunks: Buffer[] = [];
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
    parts[entry.fileName] = Buffer.concat(chunks).toString();
  }
  return parts;
}
