/** A run of text where a page draws it. Lengths are in points. */
export interface Piece {
  text: string;
  /** Its beginning on its baseline, from the lower left corner. */
  x: number;
  y: number;
  /** Along its direction. */
  length: number;
  /** Font size. */
  size: number;
  /** Direction in which it runs, in radians against the clock; 0 is to the right. */
  angle: number;
  font: string;
  /** Whether white space is drawn before or behind it. */
  spaced: { before: boolean; after: boolean };
}

/** Letters that are written from right to left: Hebrew, Arabic and their relatives. */
const FROM_THE_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/gu;
const FROM_THE_LEFT = /(?![\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc])\p{L}/gu;

/** Whether most letters are written from right to left. */
export function runsFromTheRight(text: string): boolean {
  const right = text.match(FROM_THE_RIGHT)?.length ?? 0;
  return right > 0 && right > (text.match(FROM_THE_LEFT)?.length ?? 0);
}
