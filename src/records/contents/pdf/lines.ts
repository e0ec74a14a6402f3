import type { Placed } from './frame.js';

/** Pieces that are read as one line, from left to right. */
export interface Line {
  pieces: Placed[];
  left: number;
  right: number;
  baseline: number;
  /** Font size of most of it. */
  size: number;
}

/** Shares of the font size that letters rise above the baseline and fall below it. */
const ASCENT = 0.7;
const DESCENT = 0.2;
/** Pieces whose baselines differ by less than this share of their size are on one line, whatever else is there. */
const SAME_BASELINE = 0.15;
/** Share of the lower one's height that two pieces on one line have in common. */
const OVERLAP = 0.5;
/** Lines of half the size beside a large letter are lines of their own. */
const MAX_SIZES = 2.2;
/** How many lines above are looked at for one that goes on. */
const LINES_ABOVE = 6;

/** Gathers pieces in lines, from top to bottom; signs that are raised or lowered belong to the line that they stand at. */
export function linesOf(pieces: Placed[]): Line[] {
  const lines: Line[] = [];
  for (const line of onOneBaseline(pieces)) {
    const above = lines
      .slice(-LINES_ABOVE)
      .filter((other) => isOneLine(other, line))
      .sort((a, b) => Math.abs(a.baseline - line.baseline) - Math.abs(b.baseline - line.baseline))[0];
    if (above) merge(above, line);
    else lines.push(line);
  }
  return lines.sort((a, b) => a.baseline - b.baseline);
}

function onOneBaseline(pieces: Placed[]): Line[] {
  const lines: Line[] = [];
  for (const piece of [...pieces].sort((a, b) => a.baseline - b.baseline || a.left - b.left)) {
    const last = lines.at(-1);
    if (last && piece.baseline - last.baseline < SAME_BASELINE * Math.min(piece.size, last.size)) add(last, piece);
    else lines.push({ pieces: [piece], left: piece.left, right: piece.right, baseline: piece.baseline, size: piece.size });
  }
  for (const line of lines) line.pieces.sort((a, b) => a.left - b.left || a.order - b.order);
  return lines;
}

function add(line: Line, piece: Placed): void {
  line.pieces.push(piece);
  line.left = Math.min(line.left, piece.left);
  line.right = Math.max(line.right, piece.right);
  line.size = Math.max(line.size, piece.size);
}

function isOneLine(a: Line, b: Line): boolean {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  const top = Math.max(a.baseline - ASCENT * a.size, b.baseline - ASCENT * b.size);
  const bottom = Math.min(a.baseline + DESCENT * a.size, b.baseline + DESCENT * b.size);
  if (bottom - top < OVERLAP * (ASCENT + DESCENT) * small.size) return false;
  return large.size <= MAX_SIZES * small.size && !cover(a, b);
}

/** Whether a piece of one lies over a piece of the other: then they are two lines, however close. */
function cover(a: Line, b: Line): boolean {
  let at = 0;
  for (const piece of a.pieces) {
    const slack = 0.3 * Math.min(a.size, b.size);
    while (at < b.pieces.length && b.pieces[at]!.right - slack <= piece.left) at += 1;
    if (at < b.pieces.length && b.pieces[at]!.left < piece.right - slack) return true;
  }
  return false;
}

function merge(line: Line, other: Line): void {
  // The baseline of most of it.
  if (other.size > line.size || (other.size === line.size && other.pieces.length > line.pieces.length)) line.baseline = other.baseline;
  for (const piece of other.pieces) add(line, piece);
  line.pieces.sort((a, b) => a.left - b.left || a.order - b.order);
}
