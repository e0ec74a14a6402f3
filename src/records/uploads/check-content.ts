import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { AppError } from '../../common/app-error.js';
import { textHead } from '../../common/text/text-head.js';
import { describeBytes, HEAD_BYTES, isZip, kindOf } from '../contents/file-kind.js';
import { isWorkbook } from '../contents/read-workbook.js';
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

/** How a document before Office 2007 begins, and any Office document with a password. */
const OLD_OFFICE = Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);

/**
 * Checks that a file is what its name says, and a workbook or a CSV whole.
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

async function checkWorkbook(head: Buffer, file: StoredUpload): Promise<void> {
  if (head.subarray(0, OLD_OFFICE.length).equals(OLD_OFFICE)) {
    throw refusedFile(
      'UNSUPPORTED_TYPE',
      file.at,
      `${file.name} has a password or is of Excel before 2007; save it as .xlsx without a password`,
    );
  }
  if (!isZip(head)) throw await notWhatItSays('an Excel workbook', head, file);
  const zip = await openZip(file);
  try {
    if (isWorkbook(zip)) return;
    throw refusedFile(
      'UNSUPPORTED_TYPE',
      file.at,
      `${file.name} is a zip file without an Excel workbook in it; send the files in it one by one`,
    );
  } finally {
    zip.close();
  }
}

async function openZip(file: StoredUpload): Promise<ZipDirectory> {
  try {
    return await ZipDirectory.open(file.path);
  } catch (error) {
    if (error instanceof AppError) throw refusedFile('INVALID_INPUT', file.at, `${file.name}: ${error.message}`);
    throw broken(file, `is not complete (${(error as Error).message})`);
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
