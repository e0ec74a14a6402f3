import { fileURLToPath } from 'node:url';
import { getDocumentProxy } from 'unpdf';
import { unreadable } from '../contents.js';

export type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>;
export type PdfPage = Awaited<ReturnType<PdfDocument['getPage']>>;

/** The build copies these folders from `pdfjs-dist`, of the version that is in `unpdf`, which comes without them. */
const DATA = fileURLToPath(new URL('../../../pdfjs-dist/', import.meta.url));
/** `VerbosityLevel.WARNINGS` of pdf.js. */
const WARNINGS = 1;

/**
 * @param bytes given away: pdf.js may detach them
 * @throws AppError UNPROCESSABLE when it needs a password; what pdf.js throws when it finds no document
 */
export async function openPdf(bytes: Uint8Array): Promise<PdfDocument> {
  try {
    return await getDocumentProxy(bytes, {
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
