import { detectLanguage } from '../language.js';
import { hasPoint, minorDigits } from './currencies.js';
import type { NumberToken } from './money-tokens.js';
import { type Mark, other, shapeOf } from './numerals.js';

/** How whoever wrote a document writes numbers. */
export interface NumberStyle {
  /** Decimal marks that its amounts prove. */
  marks: Set<Mark>;
  /** What else lets guess at it; enough to take "1.250" for a thousand, and never for one and a quarter. */
  hints(): Set<Mark>;
}

/** What a number comes to. */
export interface Reading {
  /** null: nobody can tell, or it has more digits than a number holds. */
  value: number | null;
  /** Why. */
  doubt?: string;
}

const ENGLISH_WRITERS = new Set(['en', 'zh', 'ja', 'ko', 'hi']);
const MAX_EXACT_DIGITS = 15;

/** @param amounts the document's numbers that have a currency; @param others without one */
export function styleOf(text: string, amounts: NumberToken[], others: NumberToken[]): NumberStyle {
  const marks = provenBy(amounts);
  let hints: Set<Mark> | undefined;
  return { marks, hints: () => (hints ??= hintsIn(text, others)) };
}

function provenBy(numbers: NumberToken[]): Set<Mark> {
  const marks = new Set<Mark>();
  for (const { digits, isWhole } of numbers.filter(({ doubt }) => doubt === undefined)) {
    const shape = shapeOf(digits);
    if (shape.kind === 'sure' && shape.proves) marks.add(shape.proves);
    if (isWhole === ',') marks.add(',');
  }
  return marks;
}

/** Numbers with two decimals are no chapters or versions, mostly; and each language has its habit. */
function hintsIn(text: string, others: NumberToken[]): Set<Mark> {
  const proven = provenBy(others.filter(({ looksLikeMoney }) => looksLikeMoney));
  const { language } = detectLanguage(text);
  if (language !== 'und') proven.add(ENGLISH_WRITERS.has(language) ? '.' : ',');
  return proven;
}

/** @param code of its currency, when it has one and that is known */
export function readNumber({ digits, isWhole, negative, scale, doubt }: NumberToken, style: NumberStyle, code?: string): Reading {
  if (doubt) return { value: null, doubt };
  const shape = shapeOf(digits);
  if (shape.kind === 'odd') return { value: null, doubt: 'it is no number' };
  const text = shape.kind === 'sure' ? shape.text : isWhole ? shape.grouped : decide(shape, style, code);
  if (text === undefined) {
    const { grouped, decimal } = shape as Extract<typeof shape, { kind: 'open' }>;
    return { value: null, doubt: `${Number(grouped)} or ${Number(decimal)}? nothing else in the document tells` };
  }
  if (text.replace(/^0|\D/g, '').length > MAX_EXACT_DIGITS) return { value: null, doubt: 'it has more digits than a number holds' };
  const value = Number(`${negative ? '-' : ''}${text}e${scale}`);
  // Not -0, which is another number in JSON's eyes than in a reader's.
  return { value: value === 0 ? 0 : value };
}

/** A mark with three digits behind it parts thousands or decimals. Decimals need proof; for thousands hints will do, if they agree. */
function decide(
  { mark, grouped, decimal }: { mark: Mark; grouped: string; decimal: string },
  style: NumberStyle,
  code?: string,
): string | undefined {
  const digits = code === undefined ? 2 : minorDigits(code);
  if (digits === 0) return grouped;
  if (style.marks.size === 1) return style.marks.has(mark) ? decimal : grouped;
  if (style.marks.size > 1) return undefined;
  if (digits === 3) return mark === '.' ? decimal : undefined;
  const hints = new Set(style.hints());
  // The point of those who write euros, crowns or pesos is no hint: half of them write in English as well.
  if (mark === ',' && code !== undefined && hasPoint(code)) hints.add('.');
  return hints.size === 1 && hints.has(other(mark)) ? grouped : undefined;
}
