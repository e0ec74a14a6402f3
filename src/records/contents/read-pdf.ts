import { setImmediate } from 'node:timers/promises';
import { Excerpt, type PdfContents, type ReadOptions, unreadable } from './contents.js';
import { openPdf, type PdfDocument } from './pdf/open-pdf.js';
import { lookForPictures, textOfPage } from './pdf/page-text.js';
import { hearPdfMessages, PdfWarnings } from './pdf/pdf-warnings.js';

/** A PDF is read out of memory: pdf.js jumps about in it. */
export const MAX_PDF_BYTES = 209_715_200;
/** A file may claim to have any number. */
const MAX_PAGES = 20_000;
/** Pages without text that are looked through for pictures. */
const MAX_LOOKED_AT = 20;
/** From this share of a page's characters on, what cannot be told is garbage, not a sign or two. */
const GARBAGE = 0.1;

/**
 * Reads the text of a PDF page by page, until it has as much as was asked for. A page that is damaged is told of in the warnings, like all
 * else that keeps the text from being whole.
 * @param bytes given away: pdf.js may detach them
 */
export async function readPdf(bytes: Uint8Array, options: Required<ReadOptions>): Promise<PdfContents> {
  const warnings = new PdfWarnings();
  const reading = new Reading(warnings, options);
  const unhear = hearPdfMessages((message) => warnings.addMessage(message, reading.page));
  try {
    const document = await openPdf(bytes);
    try {
      return await reading.read(document);
    } finally {
      await document.destroy();
    }
  } finally {
    unhear();
  }
}

class Reading {
  /** The one that is being read. */
  page?: number;
  private readonly excerpt: Excerpt;
  private lookedAt = 0;
  private readable = 0;
  private failure?: Error;

  constructor(
    private readonly warnings: PdfWarnings,
    private readonly options: Required<ReadOptions>,
  ) {
    this.excerpt = new Excerpt(options.maxTextCharacters);
  }

  async read(document: PdfDocument): Promise<PdfContents> {
    const { numPages } = document;
    const truncated = await this.readPages(document);
    if (this.readable === 0 && this.failure) throw unreadable('PDF', `none of its pages can be read: ${this.failure.message}`);
    await this.warnOfForm(document);
    const text = this.excerpt.toText();
    if (text.text.trim() === '') this.warnings.add('no text was found in it');
    return { kind: 'pdf', pages: numPages, ...text, truncated, warnings: this.warnings.toList() };
  }

  /** @returns whether there is more text than was asked for */
  private async readPages(document: PdfDocument): Promise<boolean> {
    const { onProgress, signal, maxTextCharacters } = this.options;
    const { numPages } = document;
    const last = Math.min(numPages, MAX_PAGES);
    let cut = false;
    for (let number = 1; number <= last && !cut; number += 1) {
      // A page holds the processor: what the thread is told meanwhile is heard between two pages.
      await setImmediate();
      signal.throwIfAborted();
      if (number > 1) this.excerpt.add('\n');
      if (this.excerpt.characters > maxTextCharacters) cut = true;
      else await this.readPage(document, number);
      onProgress((100 * number) / last);
    }
    this.page = undefined;
    if (cut) onProgress(100);
    else if (numPages > last) this.warnings.add(`it has ${numPages} pages, and only the first ${last} were read`);
    return cut || this.excerpt.characters > maxTextCharacters;
  }

  private async readPage(document: PdfDocument, number: number): Promise<void> {
    this.page = number;
    try {
      const page = await document.getPage(number);
      const { text, cut } = await textOfPage(page);
      if (text === '' && this.lookedAt++ < MAX_LOOKED_AT) await lookForPictures(page);
      page.cleanup();
      this.readable += 1;
      this.excerpt.add(text);
      if (cut) this.warnings.add('it has more text than is read of one page', number);
      this.warnOfGarbage(text, number);
    } catch (error) {
      this.failure ??= error as Error;
      this.warnings.add(`it is damaged and was left out (${(error as Error).message})`, number);
    }
  }

  private warnOfGarbage(text: string, number: number): void {
    const unknown = text.match(/\ufffd/g)?.length ?? 0;
    // Bullets have private characters too.
    const isGarbage = unknown + (text.match(/[\ue000-\uf8ff]/g)?.length ?? 0) > GARBAGE * text.length;
    if (isGarbage) this.warnings.add('much of its text is garbage: its fonts do not say which characters they draw', number);
    else if (unknown > 0) this.warnings.add('some of its characters cannot be told (U+FFFD): a font does not say which they are', number);
  }

  private async warnOfForm(document: PdfDocument): Promise<void> {
    const { info } = (await document.getMetadata()) as { info: { IsXFAPresent?: boolean } };
    if (info.IsXFAPresent) this.warnings.add('it holds a form in XFA, of which only what its pages and plain form fields repeat was read');
  }
}
