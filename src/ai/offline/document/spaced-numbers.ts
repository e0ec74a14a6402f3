import type { Cell, MoneyToken, NumberToken } from './money-tokens.js';
import { shapeOf } from './numerals.js';

/**
 * Looks at numbers whose groups are parted by plain spaces: "2 499,00 €" is two thousand, or two pieces at 499. They are one number
 * where a sign or a colon stands in front, where the document groups so elsewhere, or where no other number stands in the cell; they
 * are two where the row's product says so; else nobody can tell.
 */
export function settleSpaced(text: string, cells: Cell[]): Cell[] {
  const spaced = cells.filter(({ tokens }) => tokens.some(isSpaced));
  const groupsBySpaces = spaced.some((cell) => cell.tokens.some((token) => isSpaced(token) && isOneNumber(text, cell, token)));
  const settle = (cell: Cell): Cell => ({
    ...cell,
    tokens: cell.tokens.flatMap((token): MoneyToken[] => (isSpaced(token) ? settled(text, cell, token, groupsBySpaces) : [token])),
  });
  return cells.map((cell) => (spaced.includes(cell) ? settle(cell) : cell));
}

/** Who writes a decimal point seldom parts thousands by spaces. */
const HAS_POINT = /\.\d+$/;

function isSpaced(token: MoneyToken): token is NumberToken {
  return token.kind === 'number' && token.isSpaced;
}

function settled(text: string, cell: Cell, token: NumberToken, groupsBySpaces: boolean): NumberToken[] {
  if (isOneNumber(text, cell, token)) return [token];
  const numbers = cell.tokens.filter((other): other is NumberToken => other.kind === 'number' && !other.isPercent);
  const [quantity, price] = partsOf(token);
  const next = numbers[numbers.indexOf(token) + 1];
  if (next && isProduct(quantity, price, next)) return [quantity, price];
  const isLikely = groupsBySpaces || (numbers.length === 1 && !HAS_POINT.test(token.digits));
  return [isLikely ? token : { ...token, doubt: `one number, or ${quantity.digits} and ${price.digits}?` }];
}

function isOneNumber(text: string, { at, tokens }: Cell, token: NumberToken): boolean {
  const before = tokens[tokens.indexOf(token) - 1];
  const isLedBySign = before?.kind === 'currency' && token.at - before.end <= 1;
  const isLedByColon = /[:=]\s?$/.test(text.slice(Math.max(0, token.at - 2), token.at));
  const isWholeCell =
    !HAS_POINT.test(token.digits) &&
    tokens.length <= 2 &&
    text.slice(at, token.at).trim() === '' &&
    tokens.every((other) => other === token || other.kind === 'currency');
  return isLedBySign || isLedByColon || isWholeCell || token.digits.split(' ').length > 2;
}

/** The quantity and the price. */
function partsOf(token: NumberToken): [NumberToken, NumberToken] {
  const cut = token.digits.indexOf(' ');
  const [first, second] = [token.digits.slice(0, cut), token.digits.slice(cut + 1)];
  const at = token.digitsAt + cut;
  return [
    { ...token, end: at, digits: first, isSpaced: false, looksLikeMoney: false, scale: 0 },
    { ...token, at: at + 1, digitsAt: at + 1, digits: second, isSpaced: false, negative: false },
  ];
}

function isProduct(quantity: NumberToken, price: NumberToken, total: NumberToken): boolean {
  const [each, sum] = [valuesOf(price), valuesOf(total)];
  return each.some((value) => sum.some((other) => Math.abs(value * Number(quantity.digits) - other) < 0.005));
}

/** All that the digits can mean. */
function valuesOf({ digits }: NumberToken): number[] {
  const shape = shapeOf(digits);
  if (shape.kind === 'odd') return [];
  return shape.kind === 'sure' ? [Number(shape.text)] : [Number(shape.grouped), Number(shape.decimal)];
}
