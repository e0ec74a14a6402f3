import { stringify } from 'csv-stringify/sync';
import ExcelJS from 'exceljs';
import { PDFDocument } from 'pdf-lib';
import { deflateRawSync } from 'node:zlib';

/** A PDF with one text on each page. */
export async function pdfOf(...pages: string[]): Promise<Buffer> {
  const document = await PDFDocument.create();
  for (const text of pages) document.addPage().drawText(text, { x: 50, y: 700, size: 12 });
  return Buffer.from(await document.save());
}

/** An Excel workbook: rows of cells for each sheet, by its name. */
export async function workbookOf(sheets: Record<string, ExcelJS.CellValue[][]>): Promise<Buffer> {
  const workbook = new ExcelJS.Workbook();
  for (const [name, rows] of Object.entries(sheets)) workbook.addWorksheet(name).addRows(rows);
  return Buffer.from(await workbook.xlsx.writeBuffer());
}

export function csvOf(rows: unknown[][], options: { delimiter?: string; bom?: boolean } = {}): Buffer {
  return Buffer.from(stringify(rows, options));
}

/** The smallest PDF that asks for a password. */
export function encryptedPdf(): Buffer {
  const key = 'ab'.repeat(32);
  return rawPdf(
    [
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
      '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>',
      `<< /Filter /Standard /V 1 /R 2 /O <${key}> /U <${key}> /P -4 >>`,
    ],
    `/Encrypt 4 0 R /ID [<${key}> <${key}>]`,
  );
}

/** A PDF of these objects, numbered from 1; the first one is its catalog. Characters stand for bytes. */
export function rawPdf(objects: string[], trailer = ''): Buffer {
  let text = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = text.length;
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}`;
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(text, 'latin1');
}

/** A stream object of a PDF. @param entries of its dictionary, beside its length */
export function pdfStream(data: string | Buffer, entries = ''): string {
  const bytes = typeof data === 'string' ? data : data.toString('latin1');
  return `<< /Length ${bytes.length} ${entries} >>\nstream\n${bytes}\nendstream`;
}

/** A PDF page as some program draws it. */
export interface RawPage {
  content: string | Buffer;
  /** Entries of the content's dictionary. */
  contentEntries?: string;
  /** The font object F1; default Helvetica. */
  font?: string;
  /** Entries of the page's dictionary. */
  entries?: string;
  /** Objects from number 6 on. */
  objects?: string[];
  /** Entries of the catalog. */
  catalog?: string;
}

/** A PDF of one page whose content is given as it stands. */
export function rawPage({ content, contentEntries, font = HELVETICA, entries = '', objects = [], catalog = '' }: RawPage): Buffer {
  return rawPdf([
    `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> /XObject << /X 6 0 R >> >> /Contents 5 0 R ${entries} >>`,
    font,
    pdfStream(content, contentEntries),
    ...objects,
  ]);
}

const HELVETICA = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>';

/** Texts at their places, in the order in which they are drawn. */
export function drawn(...texts: [x: number, y: number, text: string, size?: number][]): string {
  return texts.map(([x, y, text, size = 10]) => `BT /F1 ${size} Tf ${x} ${y} Td (${text}) Tj ET`).join('\n');
}

/**
 * A zip of some entries.
 * @param claimedSize unpacked bytes that the directory claims for each; default: the truth
 */
export function zipOf(entries: Record<string, Buffer>, claimedSize?: number): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const packed = deflateRawSync(content);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(claimedSize ?? content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const file = Buffer.concat([Buffer.from('504b0304', 'hex'), fields, Buffer.from(name), packed]);
    files.push(file);
    directory.push(Buffer.concat([Buffer.from('504b01021400', 'hex'), fields, place, Buffer.from(name)]));
    offset += file.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, ...directory, Buffer.from('504b0506', 'hex'), end]);
}

function crc32(bytes: Buffer): number {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
