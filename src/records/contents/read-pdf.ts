import { setImmediate } from 'node:timers/promises';
import { getDocumentProxy } from 'unpdf';
import { Excerpt, type PdfContents, type ReadOptions } from './contents.js';

type PdfDocument = Awaited<ReturnType<typeof getDocumentProxy>>;

/** A PDF is read out of memory: pdf.js jumps about in it. */
export const MAX_PDF_BYTES = 209_715_200;

/** @param bytes given away: pdf.js may detach them */
export async function readPdf(bytes: Uint8Array, options: Required<ReadOptions>): Promise<PdfContents> {
  // Without `verbosity` pdf.js tells the console about every oddity of a file.
  const document = await getDocumentProxy(bytes, { verbosity: 0 });
  try {
    const excerpt = new Excerpt(options.maxTextCharacters);
    for (let number = 1; number <= document.numPages; number += 1) {
      // A page holds the processor: heartbeats, requests and other files get their turn between two pages.
      await setImmediate();
      options.signal.throwIfAborted();
      if (number > 1) excerpt.add('\n');
      excerpt.add(await textOfPage(document, number));
      options.onProgress((100 * number) / document.numPages);
    }
    return { kind: 'pdf', pages: document.numPages, ...excerpt.toText() };
  } finally {
    await document.destroy();
  }
}

async function textOfPage(document: PdfDocument, number: number): Promise<string> {
  const page = await document.getPage(number);
  const { items } = await page.getTextContent();
  page.cleanup();
  return items.map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : '')).join('');
}
