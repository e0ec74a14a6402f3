import type { PdfPage } from './open-pdf.js';
import { type Annotation, fillInsOf } from './fill-ins.js';
import { layOut } from './lay-out.js';
import type { Piece } from './piece.js';

/** A piece of text as pdf.js tells it. */
interface TextItem {
  str: string;
  /** a, b, c, d: direction and size; e, f: place. */
  transform: number[];
  width: number;
  height: number;
  fontName: string;
}

interface TextChunk {
  items: (TextItem | { type: string })[];
  styles: Record<string, { vertical?: boolean }>;
}

/** What is read of one page: more would take the thread's memory, and more time than a page is worth. */
const MAX_CHARACTERS = 2_000_000;
const MAX_PIECES = 50_000;
/** What is no text inside of a line: line ends, tabs, and control characters, which no writer wrote. */
const WHITE_SPACE = /[\t\n\v\f\r\x85\u2028\u2029]/g;
const CONTROL = /\p{Cc}/gu;

/** `AnnotationMode.DISABLE` of pdf.js. */
const WITHOUT_ANNOTATIONS = 0;

export interface PageText {
  text: string;
  /** Whether the page has more than is read of one. */
  cut: boolean;
}

/** The text of a page, what was filled into its form and written on it included. */
export async function textOfPage(page: PdfPage): Promise<PageText> {
  const { pieces, cut } = await drawnPieces(page);
  const fillIns = fillInsOf((await page.getAnnotations()) as Annotation[], page.rotate);
  const text = layOut([...pieces, ...fillIns.pieces]);
  const known = withoutSpaces(text);
  // Some readers copy what is marked into the remark about it.
  const remarks = fillIns.remarks.filter((remark) => !known.includes(withoutSpaces(remark.slice(remark.indexOf(': ') + 2))));
  return { text: clean([text, ...new Set(remarks)].filter(Boolean).join('\n\n')), cut };
}

/** Has pdf.js look for pictures: it warns of each, as it is told to take none. */
export async function lookForPictures(page: PdfPage): Promise<void> {
  await page.getOperatorList({ annotationMode: WITHOUT_ANNOTATIONS });
}

async function drawnPieces(page: PdfPage): Promise<{ pieces: Piece[]; cut: boolean }> {
  const drawn = new Drawn();
  const reader = page.streamTextContent().getReader() as ReadableStreamDefaultReader<TextChunk>;
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    drawn.add(chunk.value);
    if (!drawn.isFull) continue;
    // Leaving the loop of an iterator would cancel it without a reason, which pdf.js takes for an error.
    await reader.cancel(new Error('the page has more text than is read'));
    return { pieces: drawn.pieces, cut: true };
  }
  return { pieces: drawn.pieces, cut: false };
}

/** Gathers the pieces of a page while pdf.js tells them. */
class Drawn {
  readonly pieces: Piece[] = [];
  private readonly vertical = new Set<string>();
  private characters = 0;
  /** White space was drawn since the last piece. */
  private spaced = false;

  get isFull(): boolean {
    return this.characters > MAX_CHARACTERS || this.pieces.length > MAX_PIECES;
  }

  add({ items, styles }: TextChunk): void {
    for (const [font, style] of Object.entries(styles)) if (style.vertical) this.vertical.add(font);
    for (const item of items) if ('str' in item) this.addItem(item);
  }

  private addItem(item: TextItem): void {
    const last = this.pieces.at(-1);
    const piece = toPiece(item, this.vertical.has(item.fontName), this.spaced);
    if (piece) this.pieces.push(piece);
    this.spaced = !piece && (this.spaced || item.str !== '');
    if (this.spaced && last) last.spaced.after = true;
    this.characters += item.str.length;
  }
}

function toPiece({ str, transform, width, height, fontName }: TextItem, isVertical: boolean, spaced: boolean): Piece | undefined {
  const text = str.replace(WHITE_SPACE, ' ').trim();
  const [a = 0, b = 0, c = 0, d = 0, x = 0, y = 0] = transform;
  if (text === '' || ![a, b, c, d, x, y, width, height].every(Number.isFinite)) return undefined;
  const angle = isVertical ? Math.atan2(-d, -c) : Math.atan2(b, a);
  const drawn = isVertical ? height : width;
  const size = (isVertical ? width : height) || Math.hypot(c, d) || 1;
  const length = drawn > 0 ? drawn : text.length * size * 0.5;
  return { text, x, y, length, size, angle, font: fontName, spaced: { before: spaced || /^\s/.test(str), after: /\s$/.test(str) } };
}

function withoutSpaces(text: string): string {
  return text.replace(/\s+/g, '');
}

function clean(text: string): string {
  return text.replace(CONTROL, (control) => (control === '\n' || control === '\t' ? control : '\uFFFD'));
}
