import { fileTypeFromBuffer } from 'file-type';
import { rowsOfName, rowsOfType } from '../../common/media-types.js';
import { textHead } from '../../common/text/text-head.js';
import { unreadable } from './contents.js';

export type FileKind = 'pdf' | 'zip' | 'csv' | 'text';

/** Bytes from a file's beginning that tell what it is. */
export const HEAD_BYTES = 4_100;

const PDF_MARK = '%PDF-';
/** Some programs write a few bytes before it. In a file that is called a PDF it may stand anywhere in the head, behind a page of HTML for instance. */
const PDF_MARK_WITHIN = 1_024;
const ZIP_MARK_WITHIN = 1_024;
const ZIP_MARK = Buffer.from([0x50, 0x4b, 0x03, 0x04]);
/** How a document before Office 2007 begins, and any Office document with a password. */
const OLD_OFFICE_MARK = Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);

/** @returns undefined for bytes that are neither PDF nor zip nor text */
export function kindOf(head: Buffer, { name, mediaType }: { name: string; mediaType: string }): FileKind | undefined {
  const within = /\.pdf$/i.test(name) || mediaType === 'application/pdf' ? HEAD_BYTES : PDF_MARK_WITHIN;
  if (head.subarray(0, within).includes(PDF_MARK)) return 'pdf';
  if (isZip(head)) return 'zip';
  if (textHead(head) === undefined) return undefined;
  return rowsOfName(name) === 'csv' || rowsOfType(mediaType) === 'csv' ? 'csv' : 'text';
}

/** A zip is found by its end; servers and scripts now and then leave a few bytes before it. */
export function isZip(head: Buffer): boolean {
  return head.subarray(0, ZIP_MARK_WITHIN).includes(ZIP_MARK);
}

export function isOldOffice(head: Buffer): boolean {
  return head.subarray(0, OLD_OFFICE_MARK.length).equals(OLD_OFFICE_MARK);
}

/** What bytes that cannot be read seem to be: "a file of type image/png". */
export async function describeBytes(head: Buffer): Promise<string> {
  if (textHead(head) !== undefined) return 'plain text';
  if (isOldOffice(head)) return 'a document with a password or of Office before 2007';
  const type = await fileTypeFromBuffer(head);
  return type ? `a file of type ${type.mime}` : 'no text, and of no known type';
}

export async function unknownKind(head: Buffer): Promise<Error> {
  return unreadable('file', `it is ${await describeBytes(head)}; PDF, Excel (.xlsx, .xlsm), CSV and plain text can be read`);
}
