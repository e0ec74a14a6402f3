import type { Line } from './lines.js';
import type { Placed } from './frame.js';
import { runsFromTheRight } from './piece.js';

/** Text of a line that hangs together; a wide gap parts it from the next. */
export interface Cell {
  pieces: Placed[];
  left: number;
  right: number;
}

/** Gaps, as shares of the font size. A space is a quarter of it; justified lines stretch that to a whole and more. */
const SPACE = 0.1;
const NARROW = 0.5;
const WIDE = 1.5;
/** What begins so far before the end of what comes before is no part of its word. */
const BACK = -0.3;
/** Digits of one number stand closer than this. */
const DIGITS = 0.06;
/** A raised sign is so much smaller than what it stands at. */
const SMALLER = 0.85;

/** The cells of a line from left to right. */
export function cellsOf({ pieces }: Line): Cell[] {
  return partedAt(pieces, WIDE);
}

/** A cell parted at its narrow gaps too: columns of a table may stand close. */
export function partsOf({ pieces }: Cell): Cell[] {
  return partedAt(pieces, NARROW);
}

/** Cells that follow each other, as one. */
export function oneCell(cells: Cell[]): Cell {
  return toCell(cells.flatMap(({ pieces }) => pieces));
}

function partedAt(pieces: Placed[], gap: number): Cell[] {
  const cells: Cell[] = [];
  let run: Placed[] = [];
  let right = -Infinity;
  for (const piece of pieces) {
    if (run.length > 0 && piece.left - right >= gap * emOf(run.at(-1)!, piece)) {
      cells.push(toCell(run));
      run = [];
    }
    run.push(piece);
    right = Math.max(right, piece.right);
  }
  if (run.length > 0) cells.push(toCell(run));
  return cells;
}

function toCell(pieces: Placed[]): Cell {
  const { left } = pieces[0]!;
  return { pieces, left, right: pieces.reduce((most, piece) => Math.max(most, piece.right), left) };
}

export function textOfCell({ pieces }: Cell): string {
  const ordered = runsFromTheRight(pieces.map(({ text }) => text).join('')) ? fromTheRight(pieces) : pieces;
  let text = '';
  for (const [index, piece] of ordered.entries()) text += (index > 0 ? between(ordered[index - 1]!, piece) : '') + piece.text;
  return text;
}

/** Words from the right, but words and numbers of the other direction among them in their own order. */
function fromTheRight(pieces: Placed[]): Placed[] {
  const ordered: Placed[] = [];
  let others: Placed[] = [];
  for (const piece of pieces.toReversed()) {
    if (runsFromTheRight(piece.text)) {
      ordered.push(...others, piece);
      others = [];
    } else others.unshift(piece);
  }
  return [...ordered, ...others];
}

/** A space, or nothing between parts of one word. */
function between(a: Placed, b: Placed): '' | ' ' {
  const [first, second] = a.left <= b.left ? [a, b] : [b, a];
  const em = emOf(a, b);
  const gap = (second.left - first.right) / em;
  if (gap >= SPACE || gap < BACK) return isSpelled(first, second) && gap < BACK ? '' : ' ';
  if (first.spaced.after || second.spaced.before || isMarkBefore(a, b)) return ' ';
  return isDigit(a.text.at(-1)) && isDigit(b.text[0]) && !isOneNumber(a, b, gap) ? ' ' : '';
}

/** The number of a note stands before what it notes; behind a word it belongs to the word. */
function isMarkBefore(a: Placed, b: Placed): boolean {
  return a.size < SMALLER * b.size && isDigit(a.text.at(-1)) && /^\p{L}/u.test(b.text);
}

/** Letters drawn one by one, by a font that claims to be wider than it is. */
function isSpelled(a: Placed, b: Placed): boolean {
  return a.text.length === 1 && b.text.length === 1 && b.order === a.order + 1 && !isDigit(a.text) && !isDigit(b.text);
}

/** A raised digit is a note, one of another font another cell: `499.00` beside `2` must not become 499,002. */
function isOneNumber(a: Placed, b: Placed, gap: number): boolean {
  const em = emOf(a, b);
  return (
    a.font === b.font &&
    Math.abs(gap) < DIGITS &&
    Math.abs(a.size - b.size) < DIGITS * em &&
    Math.abs(a.baseline - b.baseline) < DIGITS * em
  );
}

function isDigit(character = ''): boolean {
  return /\p{Nd}/u.test(character);
}

function emOf(a: Placed, b: Placed): number {
  return Math.min(a.size, b.size);
}
