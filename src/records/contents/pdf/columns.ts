import type { Placed } from './frame.js';
import { type Line, linesOf } from './lines.js';
import { runsFromTheRight } from './piece.js';

/** A gutter is at least as wide as this share of the font size. */
const MIN_GUTTER = 0.8;
/** A column has at least so many full lines ... */
const MIN_LINES = 4;
/** ... which hold this share of its letters; labels of a figure may stand among them. */
const MIN_SHARE = 0.6;
/** A full line has so many letters, and fills this share of the column's width. The cells of a table do not. */
const MIN_LETTERS = 18;
const MIN_FILLED = 0.6;
/** Of the lines of two columns, this share may be drawn in turns; a table is drawn row by row. */
const MAX_TURNS = 0.25;
/** Columns of columns. */
const MAX_DEPTH = 6;

/** A stretch of a line without a gap as wide as a gutter. */
interface Stretch {
  pieces: Placed[];
  left: number;
  right: number;
  baseline: number;
  size: number;
  letters: number;
  order: number;
}

/**
 * Parts a page in what is read one after the other: columns of running text beside each other, and what stands above, between and below
 * them. Only a gutter that many lines leave free, between columns that their lines fill and that are drawn one after the other, parts
 * columns; all else is read line by line across the page, as tables are.
 */
export function regionsOf(pieces: Placed[], depth = 0): Placed[][] {
  const stretches = stretchesOf(pieces);
  const gutter = depth < MAX_DEPTH ? gutterOf(stretches) : undefined;
  if (gutter === undefined) return [pieces];
  const regions: Placed[][] = [];
  let rest: Placed[] = [];
  for (const { across, members } of bandsOf(stretches, gutter)) {
    const columns = across ? undefined : columnsOf(members, gutter, depth);
    // What is read across the page stays together: the rows of a table are looked at as a whole.
    if (!columns) {
      for (const { pieces } of members) rest.push(...pieces);
      continue;
    }
    regions.push(rest, ...columns);
    rest = [];
  }
  return [...regions, rest].filter((region) => region.length > 0);
}

/** The columns of a band in the order in which they are read, if it has columns. */
function columnsOf(members: Stretch[], gutter: number, depth: number): Placed[][] | undefined {
  const left = members.filter(({ right }) => right <= gutter);
  const right = members.filter((stretch) => stretch.right > gutter);
  if (!areDrawnApart(left, right)) return undefined;
  const sides: Placed[][][] = [];
  for (const side of [left, right]) {
    const columns = regionsOf(
      side.flatMap(({ pieces }) => pieces),
      depth + 1,
    );
    if (columns.length < 2 && !isRunningText(side)) return undefined;
    sides.push(columns);
  }
  const text = members.flatMap(({ pieces }) => pieces.map((piece) => piece.text)).join('');
  return (runsFromTheRight(text) ? sides.toReversed() : sides).flat();
}

function stretchesOf(pieces: Placed[]): Stretch[] {
  return linesOf(pieces).flatMap((line) => stretchesOfLine(line));
}

function stretchesOfLine(line: Line): Stretch[] {
  const stretches: Stretch[] = [];
  for (const piece of line.pieces) {
    const last = stretches.at(-1);
    const letters = piece.text.match(/\p{L}/gu)?.length ?? 0;
    if (last && piece.left - last.right < MIN_GUTTER * Math.min(piece.size, last.size)) {
      last.pieces.push(piece);
      last.right = Math.max(last.right, piece.right);
      last.size = Math.max(last.size, piece.size);
      last.letters += letters;
      last.order = Math.min(last.order, piece.order);
    } else {
      const { left, right, baseline, size, order } = piece;
      stretches.push({ pieces: [piece], left, right, baseline, size, letters, order });
    }
  }
  return stretches;
}

/** How finely the page is looked through for a gutter. */
const STEPS = 200;

/** The middle of the strip that the fewest lines cross, when most lines leave it free. */
function gutterOf(stretches: Stretch[]): number | undefined {
  if (stretches.length < 2 * MIN_LINES) return undefined;
  const left = stretches.reduce((least, stretch) => Math.min(least, stretch.left), Infinity);
  const right = stretches.reduce((most, stretch) => Math.max(most, stretch.right), -Infinity);
  const crossing = crossingsOf(stretches, left, right);
  // Not at the edges: what is indented or hangs out is no column.
  const [from, to] = [Math.floor(STEPS * 0.12), Math.ceil(STEPS * 0.88)];
  const least = crossing.slice(from, to).reduce((fewest, count) => Math.min(fewest, count), Infinity);
  if (least > stretches.length / 4) return undefined;
  let best = { start: from, length: 0 };
  for (let at = from, start = from; at < to; at += 1) {
    if (crossing[at]! > least) start = at + 1;
    else if (at + 1 - start > best.length) best = { start, length: at + 1 - start };
  }
  return left + ((right - left) * (best.start + best.length / 2)) / STEPS;
}

/** How many stretches lie over each step of the page's width. */
function crossingsOf(stretches: Stretch[], left: number, right: number): number[] {
  const step = (right - left) / STEPS;
  const changes = new Array<number>(STEPS + 1).fill(0);
  for (const stretch of stretches) {
    changes[Math.max(0, Math.floor((stretch.left - left) / step))]! += 1;
    changes[Math.min(STEPS, Math.ceil((stretch.right - left) / step))]! -= 1;
  }
  let open = 0;
  return changes.map((change) => (open += change));
}

interface Band {
  /** Its stretches lie across the gutter. */
  across: boolean;
  members: Stretch[];
}

/** From top to bottom. */
function bandsOf(stretches: Stretch[], gutter: number): Band[] {
  const bands: Band[] = [];
  const ends = { above: -Infinity };
  for (const stretch of [...stretches].sort((a, b) => a.baseline - b.baseline)) {
    const across = stretch.left < gutter && stretch.right > gutter;
    const last = bands.at(-1);
    // What stands beside a line that crosses the gutter is part of that line.
    const beside = last?.across && stretch.baseline - ends.above < stretch.size / 2;
    if (across) ends.above = stretch.baseline;
    if (last && (last.across === across || beside)) last.members.push(stretch);
    else bands.push({ across, members: [stretch] });
  }
  return bands;
}

function isRunningText(stretches: Stretch[]): boolean {
  const from = stretches.reduce((least, { left }) => Math.min(least, left), Infinity);
  const to = stretches.reduce((most, { right }) => Math.max(most, right), -Infinity);
  const full = stretches.filter(({ left, right, letters }) => letters >= MIN_LETTERS && right - left >= MIN_FILLED * (to - from));
  return full.length >= MIN_LINES && lettersIn(full) >= MIN_SHARE * lettersIn(stretches);
}

function lettersIn(stretches: Stretch[]): number {
  return stretches.reduce((sum, { letters }) => sum + letters, 0);
}

function areDrawnApart(left: Stretch[], right: Stretch[]): boolean {
  const sides = [...left.map(({ order }) => ({ order, side: 0 })), ...right.map(({ order }) => ({ order, side: 1 }))];
  sides.sort((a, b) => a.order - b.order);
  const turns = sides.filter(({ side }, index) => index > 0 && sides[index - 1]!.side !== side).length;
  return turns <= Math.max(2, MAX_TURNS * sides.length);
}
