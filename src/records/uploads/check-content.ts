import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { type AppError } from '../../common/app-error.js';
import { textHead } from '../../common/text/text-head.js';
import { isDiskError } from '../contents/contents.js';
import { describeBytes, HEAD_BYTES, isOldOffice, isZip, kindOf } from '../contents/file-kind.js';
import { findWorkbook } from '../contents/find-workbook.js';
import { ZipDirectory } from '../contents/zip-directory.js';
import { otherText } from '../csv/other-text.js';
import type { AcceptedType } from './accepted-type.js';
import { refusedFile } from './refused-file.js';

export interface StoredUpload {
  path: string;
  name: string;
  /** bytes */
  size: number;
  /** Its place in the form: "file.0". */
  at: string;
}

/**
 * Checks that a file is what its name says, and a CSV whole.
 * @throws AppError UNSUPPORTED_TYPE for something else, INVALID_INPUT for a file that is empty or broken
 */
export async function checkContent(type: AcceptedType, file: StoredUpload): Promise<void> {
  if (file.size === 0) throw broken(file, 'is empty');
  const head = await readRange(file.path, 0, HEAD_BYTES);
  switch (type) {
    case 'pdf':
      return checkPdf(head, file);
    case 'workbook':
      return checkWorkbook(head, file);
    case 'csv':
      return checkCsv(head, file);
  }
}

/** What can be read in spite of some damage, and what cannot, only its reader knows: a damaged PDF fails alone, with its reason. */
async function checkPdf(head: Buffer, file: StoredUpload): Promise<void> {
  if (kindOf(head, { name: file.name, mediaType: '' }) !== 'pdf') throw await notWhatItSays('a PDF', head, file);
}

/** What the reader can make nothing of is told there: a workbook that is damaged fails alone, when it is read. */
async function checkWorkbook(head: Buffer, file: StoredUpload): Promise<void> {
  if (isOldOffice(head)) {
    const message = `${file.name} has a password or is of Excel before 2007; save it as .xlsx without a password`;
    throw refusedFile('UNSUPPORTED_TYPE', file.at, message);
  }
  if (!isZip(head)) throw await notWhatItSays('an Excel workbook', head, file);
  const zip = await openZip(file.path);
  if (!zip) return;
  try {
    const found = await findWorkbook(zip);
    if ('part' in found) return;
    throw refusedFile('UNSUPPORTED_TYPE', file.at, `${file.name} is ${found.otherwise}`);
  } finally {
    zip.close();
  }
}

/** @returns undefined for a zip that is damaged or too large */
async function openZip(path: string): Promise<ZipDirectory | undefined> {
  try {
    return await ZipDirectory.open(path);
  } catch (error) {
    if (isDiskError(error)) throw error;
    return undefined;
  }
}

/** What the reader can read is taken, whatever its charset; a row that is damaged is told when it is read. */
async function checkCsv(head: Buffer, file: StoredUpload): Promise<void> {
  if (kindOf(head, { name: file.name, mediaType: '' }) !== 'csv') throw notCsv(await describeBytes(head), file);
  const start = textHead(head)!.trimStart();
  const other = otherText(start);
  if (other) throw notCsv(other, file);
  if (start === '' && (await isBlank(file.path))) throw broken(file, 'is empty');
}

/** Whether a file has nothing but blanks behind its head. */
async function isBlank(path: string): Promise<boolean> {
  for await (const chunk of createReadStream(path, { start: HEAD_BYTES })) {
    if (/[^\s\0]/.test((chunk as Buffer).toString('latin1'))) return false;
  }
  return true;
}

async function notWhatItSays(what: string, head: Buffer, { name, at }: StoredUpload): Promise<AppError> {
  const message = `${name} is not ${what}, though its name says so: it is ${await describeBytes(head)}; send the real file`;
  return refusedFile('UNSUPPORTED_TYPE', at, message);
}

function notCsv(whatItIs: string, { name, at }: StoredUpload): AppError {
  const message = `${name} is not CSV text, though its name says so: it is ${whatItIs}; send the table saved as CSV UTF-8`;
  return refusedFile('UNSUPPORTED_TYPE', at, message);
}

function broken({ name, at }: StoredUpload, how: string): AppError {
  return refusedFile('INVALID_INPUT', at, `${name} ${how}; save or export it anew and send that`);
}

/** The bytes of a part of a file; fewer where it ends. */
async function readRange(path: string, start: number, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
