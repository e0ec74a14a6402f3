/** Warnings of a file that are told. */
const MAX_WARNINGS = 20;
const MAX_CHARACTERS = 300;
const MAX_RANGES = 10;
/** Different messages that are kept while reading; a damaged file has one for every object. */
const MAX_KEPT = 200;

/**
 * What the messages of pdf.js mean for the text of a file. The others are about looks, links, and faults that it has mended; pictures are
 * looked for on pages without text only.
 */
const MEANINGS: [message: RegExp, meaning: string][] = [
  [/(?:Unable to load CMap data|Unknown CMap name)/, 'its fonts need a character map that is not there: some of its text is missing'],
  [/^(?:readToUnicode - ignoring|Invalid cMap data)/, 'the character map of a font is broken: some characters may be wrong'],
  [/^getTextContent - ignoring (?:errors|XObject)/, 'some of its text could not be read'],
  [/^getAnnotationsData - ignoring/, 'some of its notes or form fields could not be read'],
  [/^loadFont - /, 'a font is broken: some of its text may be missing'],
  [/^Image exceeded maximum allowed size/, 'it holds pictures but no text: it seems to be a scan, and nothing is recognized in pictures'],
  [/^Barcodes are not supported/, 'a barcode field is not read'],
];
/** Messages that tell of the file as a whole: pdf.js looked for its objects by itself. */
const REPAIRED = /^(?:Indexing all PDF objects|XRef\.parse - Invalid|checkLastPage - invalid)/;

/** Gathers what is to be told of a file. */
export class PdfWarnings {
  private readonly pagesOf = new Map<string, number[]>();

  /** @param page that it is about, if it is about one */
  add(warning: string, page?: number): void {
    const pages = this.pagesOf.get(warning);
    if (!pages) {
      if (this.pagesOf.size < MAX_KEPT) this.pagesOf.set(warning, page === undefined ? [] : [page]);
    } else if (page !== undefined && pages.at(-1) !== page) pages.push(page);
  }

  /** Tells what a message of pdf.js means, if it means anything for the text. */
  addMessage(message: string, page?: number): void {
    if (REPAIRED.test(message)) return this.add('the file is damaged: its directory of objects was rebuilt, and something may be missing');
    const meaning = MEANINGS.find(([pattern]) => pattern.test(message))?.[1];
    if (meaning !== undefined) this.add(meaning, page);
  }

  toList(): string[] {
    const all = [...this.pagesOf].map(([warning, pages]) => `${inWords(pages)}${warning}`.slice(0, MAX_CHARACTERS));
    return all.length <= MAX_WARNINGS ? all : [...all.slice(0, MAX_WARNINGS - 1), `and ${all.length - MAX_WARNINGS + 1} more warnings`];
  }
}

/** "page 3: ", "pages 1 to 4 and 7: " */
function inWords(pages: number[]): string {
  if (pages.length === 0) return '';
  const ranges: [first: number, last: number][] = [];
  for (const page of pages) {
    const range = ranges.at(-1);
    if (range && page === range[1] + 1) range[1] = page;
    else ranges.push([page, page]);
  }
  const shown = ranges.slice(0, MAX_RANGES).map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`));
  if (ranges.length > MAX_RANGES) shown.push('others');
  const words = shown.length === 1 ? shown[0]! : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)!}`;
  return `page${pages.length > 1 ? 's' : ''} ${words}: `;
}

const { console: output } = globalThis;
const warn = output.warn.bind(output);

/** Has pdf.js tell this listener what it would tell the console, which is its only way. A thread reads one file at a time. @returns how to end it */
export function hearPdfMessages(listener: (message: string) => void): () => void {
  output.warn = (message: unknown) => listener(String(message).replace(/^Warning: /, ''));
  return () => {
    output.warn = warn;
  };
}
