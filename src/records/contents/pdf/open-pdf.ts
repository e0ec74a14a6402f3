import { fileURLToPath } from 'node:url';
import { getDocumentProxy } from 'unpdf';
import { unreadable } from '../contents.js';

export type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>;
export type PdfPage = Awaited<ReturnType<PdfDocument['getPage']>>;

/**
 * The build copies these folders from `pdfjs-dist`, of the version that is in `unpdf`, which comes without them. Through the package's
 * root: sources that a test compiles in memory find them too.
 */
const DATA = fileURLToPath(new URL('../../../../dist/pdfjs-dist/', import.meta.url));
/** `VerbosityLevel.WARNINGS` of pdf.js. */
const WARNINGS = 1;

/** Bytes of the largest array that is made in the thread. */
const MAX_ARRAY = 134_217_728;

// pdf.js unfolds some streams in one go, during which no timer can look at what a thread's Buffers take: a file of 4 kB took 3 GB.
globalThis.Uint8Array = new Proxy(Uint8Array, {
  construct(target, args: unknown[], newTarget) {
    if (typeof args[0] === 'number' && args[0] > MAX_ARRAY) throw new RangeError(`an array of ${args[0]} bytes is too large`);
    return Reflect.construct(target, args, newTarget) as Uint8Array;
  },
});

/**
 * @param bytes given away: pdf.js may detach them
 * @throws AppError UNPROCESSABLE when it needs a password; what pdf.js throws when it finds no document
 */
export async function openPdf(bytes: Uint8Array): Promise<PdfDocument> {
  try {
    return await getDocumentProxy(withTrailer(bytes), {
      verbosity: WARNINGS,
      cMapUrl: `${DATA}cmaps/`,
      cMapPacked: true,
      standardFontDataUrl: `${DATA}standard_fonts/`,
      disableFontFace: true,
      useSystemFonts: false,
      // Pictures are not decoded, only told of: a scan takes gigabytes.
      maxImageSize: 0,
    });
  } catch (error) {
    if ((error as Error).name === 'PasswordException') throw unreadable('PDF', 'it needs a password; save it without one');
    throw error;
  }
}

/** How far before its type the number of an object is looked for. */
const CATALOG_WITHIN = 4_000;

/** A file that is cut off has lost the trailer, which tells where its pages are: pdf.js finds objects by itself, but not which comes first. */
function withTrailer(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.includes('trailer') || file.includes('/XRef')) return bytes;
  const at = file.indexOf('/Catalog');
  const before = file.subarray(Math.max(0, at - CATALOG_WITHIN), Math.max(0, at)).toString('latin1');
  const number = [...before.matchAll(/(\d+)\s+\d+\s+obj\b/g)].at(-1)?.[1];
  return number === undefined
    ? bytes
    : new Uint8Array(Buffer.concat([file, Buffer.from(`\nendstream\nendobj\ntrailer\n<< /Root ${number} 0 R >>\n`)]));
}
