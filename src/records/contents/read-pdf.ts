import { setImmediate } from 'node:timers/promises';
import { Excerpt, type PdfContents, type ReadOptions } from './contents.js';
import { openPdf } from './pdf/open-pdf.js';
import { textOfPage } from './pdf/page-text.js';

/** A PDF is read out of memory: pdf.js jumps about in it. */
export const MAX_PDF_BYTES = 209_715_200;

/** @param bytes given away: pdf.js may detach them */
export async function readPdf(bytes: Uint8Array, options: Required<ReadOptions>): Promise<PdfContents> {
  const document = await openPdf(bytes);
  try {
    const excerpt = new Excerpt(options.maxTextCharacters);
    for (let number = 1; number <= document.numPages; number += 1) {
      await setImmediate();
      options.signal.throwIfAborted();
      if (number > 1) excerpt.add('\n');
      const page = await document.getPage(number);
      excerpt.add((await textOfPage(page)).text);
      page.cleanup();
      options.onProgress((100 * number) / document.numPages);
    }
    return { kind: 'pdf', pages: document.numPages, ...excerpt.toText() };
  } finally {
    await document.destroy();
  }
}
