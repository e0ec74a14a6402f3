import { cellsOf, textOfCell } from './cells.js';
import { regionsOf } from './columns.js';
import { framesOf, type Placed } from './frame.js';
import { linesOf } from './lines.js';
import { type Piece, runsFromTheRight } from './piece.js';
import { type Row, tableAt } from './table.js';

/** A gap between lines is that of a paragraph when it is so much wider than most, and wider than this share of the font size. */
const PARAGRAPH = 1.45;
const MIN_PARAGRAPH = 1.3;

/**
 * The text of a page by where its pieces stand, in whatever order they are drawn: lines end with a newline, paragraphs with a blank line;
 * cells of a line that stand wide apart are parted by a tab, what hangs together less closely than a word by a space. Rows of a table
 * have as many cells, empty ones too. Columns of running text follow each other, text of other directions comes last.
 */
export function layOut(pieces: Piece[]): string {
  return framesOf(pieces)
    .map((placed) => regionsOf(placed).map(textOfRegion).filter(Boolean).join('\n\n'))
    .filter(Boolean)
    .join('\n\n');
}

function textOfRegion(pieces: Placed[]): string {
  const rows = linesOf(pieces).map((line): Row => ({ cells: cellsOf(line), baseline: line.baseline, size: line.size }));
  const fromTheRight = runsFromTheRight(pieces.map(({ text }) => text).join(''));
  const wide = paragraphGap(rows);
  let text = '';
  for (let at = 0; at < rows.length;) {
    const table = tableAt(rows, at);
    const texts = table.length > 0 ? table.map((cells) => cellsText(cells, fromTheRight)) : [lineText(rows[at]!, fromTheRight)];
    if (at > 0) text += isParagraph(rows[at - 1]!, rows[at]!, wide) ? '\n\n' : '\n';
    text += texts.join('\n');
    at += texts.length;
  }
  return text;
}

function cellsText(cells: string[], fromTheRight: boolean): string {
  if (cells.length === 2) return labelled(cells, fromTheRight);
  return (fromTheRight ? cells.toReversed() : cells).join('\t');
}

function lineText({ cells }: Row, fromTheRight: boolean): string {
  return labelled(cells.map(textOfCell), fromTheRight);
}

/** "Name: Anna" is one text, however wide apart. */
function labelled(cells: string[], fromTheRight: boolean): string {
  const ordered = fromTheRight ? cells.toReversed() : cells;
  return ordered.map((cell, index) => (index === 0 ? cell : `${/[:：]$/.test(ordered[index - 1]!) ? ' ' : '\t'}${cell}`)).join('');
}

/** The gap from which on a blank line parts two lines; it is not clear with fewer than three lines. */
function paragraphGap(rows: Row[]): number {
  const gaps = rows.slice(1).map((row, index) => row.baseline - rows[index]!.baseline);
  if (gaps.length < 2) return Infinity;
  return PARAGRAPH * gaps.sort((a, b) => a - b)[Math.floor((gaps.length - 1) / 2)]!;
}

function isParagraph(above: Row, row: Row, wide: number): boolean {
  const gap = row.baseline - above.baseline;
  return gap > wide && gap > MIN_PARAGRAPH * Math.max(above.size, row.size);
}
