import { FIRM_SPACES } from './numerals.js';

const FULL_WIDTH = /[\uff01-\uff5e\uffe5\uffe1]/g;
const SPACES = new RegExp(`[${FIRM_SPACES}\u3000]`, 'g');

/** Full-width letters, digits and signs as the narrow ones, character for character: what is found there stands at the same place here. */
export function toNarrow(text: string): string {
  return text.replace(FULL_WIDTH, (wide) => {
    if (wide === '￥') return '¥';
    return wide === '￡' ? '£' : String.fromCharCode(wide.charCodeAt(0) - 0xfee0);
  });
}

/** The same, and every kind of space and hyphen that keeps things together as the plain one. */
export function toPlainCharacters(text: string): string {
  return toNarrow(text)
    .replace(SPACES, ' ')
    .replace(/[\u2010\u2011]/g, '-');
}

/** The text with underscores in place of what stands there: as long as it was. */
export function hide(text: string, spans: { at: number; length: number }[]): string {
  const characters = text.split('');
  for (const { at, length } of spans) characters.fill('_', at, at + length);
  return characters.join('');
}

/** Where a pattern matched. */
export function spanOf({ 0: { length }, index }: RegExpExecArray): { at: number; length: number } {
  return { at: index, length };
}
