import { isDiskError } from './contents.js';
import { decodeXml } from './decode-xml.js';
import { relationsOf } from './part-name.js';
import { rootOf } from './read-xml.js';
import { readRelations, type Relation } from './workbook-parts.js';
import type { ZipDirectory } from './zip-directory.js';

/** Of a part that says where others are: it is read as a whole before anything else, also while an upload is checked. */
const MAX_BYTES = 1_048_576;
/** Where nearly all programs put it, for files whose own word is missing. */
const USUAL_PLACE = 'xl/workbook.xml';

/** The part of a zip that is its workbook, or what it is instead. */
export type FoundWorkbook = { part: string } | { otherwise: string };

/** Finds the workbook in a zip by what the zip says of itself. A part that is too damaged to be known for something else counts as one. */
export async function findWorkbook(zip: ZipDirectory): Promise<FoundWorkbook> {
  const named = (await relationsIn(zip, '')).filter(({ type }) => type === 'officeDocument').map(({ part }) => part);
  const parts = [...new Set([...named, USUAL_PLACE])].filter((part) => zip.has(part));
  for (const part of parts) if (await isWorkbook(zip, part)) return { part };
  return { otherwise: otherKind(zip, parts[0] ?? '') };
}

/** The parts that a part refers to; none where it is not told or told in broken XML. */
export async function relationsIn(zip: ZipDirectory, part: string): Promise<Relation[]> {
  const name = relationsOf(part);
  if (!zip.has(name) || zip.sizeOf(name) > MAX_BYTES) return [];
  try {
    return await readRelations(decodeXml(zip.read(name)), part);
  } catch (error) {
    if (isDiskError(error)) throw error;
    return [];
  }
}

async function isWorkbook(zip: ZipDirectory, part: string): Promise<boolean> {
  if (part.endsWith('.bin')) return false;
  try {
    const root = await rootOf(decodeXml(zip.read(part)));
    return root === undefined || root === 'workbook';
  } catch (error) {
    if (isDiskError(error)) throw error;
    return true;
  }
}

function otherKind(zip: ZipDirectory, main: string): string {
  if (main.endsWith('.bin')) return 'a binary workbook (.xlsb); save it as .xlsx';
  if (main.startsWith('word/')) return 'a Word document; save it as PDF';
  if (main.startsWith('ppt/')) return 'a PowerPoint presentation; save it as PDF';
  if (zip.has('mimetype') && zip.has('content.xml')) return 'an OpenDocument file; save a spreadsheet (.ods) as .xlsx, a text as PDF';
  if (zip.has('index/document.iwa')) return 'a Numbers, Pages or Keynote file; export it as Excel or PDF';
  return 'a zip file without an Excel workbook in it; send the files in it one by one';
}
