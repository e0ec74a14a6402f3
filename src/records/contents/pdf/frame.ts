import type { Piece } from './piece.js';

/** A piece in the frame of those that run in its direction: turned so that text runs to the right and lines follow downwards. */
export interface Placed extends Piece {
  left: number;
  right: number;
  /** Grows downwards. */
  baseline: number;
  /** Number in the order in which the page draws. */
  order: number;
}

const RIGHT_ANGLE = Math.PI / 2;
/** Scanned pages are askew by some degrees, each line by others. */
const ASKEW = Math.PI / 60;
/** A copy of a text that makes it bold is moved by less than this share of its size. */
const FAKE_BOLD = 0.15;
/** A copy is drawn soon after: a page of one letter a thousand times is not compared a million times. */
const MAX_COMPARED = 50;

/** Parts pieces by the direction in which they run, those with the most text first: notes at the margin and watermarks are no part of lines. */
export function framesOf(pieces: Piece[]): Placed[][] {
  const groups = new Map<number, { piece: Piece; order: number }[]>();
  for (const [order, piece] of pieces.entries()) {
    const direction = directionOf(piece.angle);
    const group = groups.get(direction);
    if (group) group.push({ piece, order });
    else groups.set(direction, [{ piece, order }]);
  }
  return [...groups.values()]
    .map((group) => {
      const angle = meanAngle(group);
      return withoutCopies(group.map(({ piece, order }) => place(piece, order, angle)));
    })
    .map((placed) => ({ placed, characters: placed.reduce((sum, { text }) => sum + text.length, 0) }))
    .sort((a, b) => b.characters - a.characters)
    .map(({ placed }) => placed);
}

/** In steps of a right angle where it is near one, else of some degrees. */
function directionOf(angle: number): number {
  const turns = Math.round(angle / RIGHT_ANGLE);
  if (Math.abs(angle - turns * RIGHT_ANGLE) < ASKEW) return ((turns + 4) % 4) * RIGHT_ANGLE;
  return Math.round(angle / (2 * ASKEW)) * 2 * ASKEW;
}

/** Long pieces tell the angle best. */
function meanAngle(group: { piece: Piece }[]): number {
  let x = 0;
  let y = 0;
  for (const { piece } of group) {
    x += Math.cos(piece.angle) * (piece.length + 0.01);
    y += Math.sin(piece.angle) * (piece.length + 0.01);
  }
  return Math.atan2(y, x);
}

function place(piece: Piece, order: number, angle: number): Placed {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const left = piece.x * cos + piece.y * sin;
  return { ...piece, order, left, right: left + piece.length, baseline: piece.x * sin - piece.y * cos };
}

/** Some programs draw text twice, a little moved, for lack of a bold font or for a shadow. */
function withoutCopies(pieces: Placed[]): Placed[] {
  const kept = new Map<string, Placed[]>();
  return pieces.filter((piece) => {
    const same = kept.get(piece.text) ?? [];
    if (same.some((other) => isCopy(piece, other))) return false;
    kept.set(piece.text, [...same.slice(-MAX_COMPARED), piece]);
    return true;
  });
}

function isCopy(piece: Placed, other: Placed): boolean {
  const near = FAKE_BOLD * Math.min(piece.size, other.size);
  return (
    Math.abs(piece.left - other.left) < near && Math.abs(piece.baseline - other.baseline) < near && Math.abs(piece.size - other.size) < near
  );
}
