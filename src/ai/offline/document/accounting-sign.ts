import type { Pair } from './pair-money.js';

/** What stands around an amount and makes it negative. `at` and `end` are those of the amount with it. */
export interface AccountingSign {
  at: number;
  end: number;
  negative: boolean;
  doubt?: string;
}

/** Nothing can be left out behind these: a remark in parentheses does not stand there. */
const NEEDS_OBJECT = /(?:^|\s)(?:of|by|to|at|from|is|was|were|be|von|um|auf|ist|war|de|à|di|da)$|[:=]$/i;
const TAKES_AWAY =
  /(?:refund|credit|discount|loss|rebate|deduction|reversal|adjustment|write-?off|gutschrift|rabatt|skonto|verlust|storno|avoir|remise|perte)[\p{L}]*$/iu;

const SCALE_BEHIND = /^ ?(?:thousand|million|billion|tausend|tsd|mio|mrd|k\b|m\b|bn\b)/i;

/**
 * A minus in front of a sign ("-$45"), and parentheses around the whole amount: negative in accounts ("($45.00)"), a remark in prose
 * ("five hundred euros (EUR 500)").
 */
export function accountingSign(text: string, { at, end, number }: Pair): AccountingSign {
  const minus = /(?:^|[\s(:=|>])([-–−]|−[ \u00a0\u202f])$/.exec(text.slice(Math.max(0, at - 3), at))?.[1];
  if (minus !== undefined) {
    const doubt = number.negative ? 'it has two minuses' : undefined;
    return { at: at - minus.length, end, negative: true, doubt };
  }
  const [opens, closes] = [/\(\s?$/.exec(text.slice(Math.max(0, at - 2), at))?.[0], /^\s?\)/.exec(text.slice(end, end + 2))?.[0]];
  if (opens === undefined || closes === undefined) return { at, end, negative: false };
  const whole = { at: at - opens.length, end: end + closes.length };
  if (SCALE_BEHIND.test(text.slice(whole.end, whole.end + 12)))
    return { ...whole, negative: false, doubt: 'a word of size stands behind it' };
  const negative = isNegative(text, whole);
  if (negative === undefined) return { ...whole, negative: false, doubt: 'the parentheses may mean a minus' };
  return negative ? { ...whole, negative } : { at, end, negative };
}

/** undefined: nobody can tell. */
function isNegative(text: string, { at, end }: { at: number; end: number }): boolean | undefined {
  const before = /[^\n]*$/.exec(text.slice(Math.max(0, at - 80), at))![0];
  const label = before.trimEnd();
  const rest = /^[^\n]{0,80}/.exec(text.slice(end))![0];
  if (label === '' || /(?:\t|\||\s{2})$/.test(before) || NEEDS_OBJECT.test(label)) return true;
  if (/[\d€$£¥]$/.test(label)) return false;
  if (TAKES_AWAY.test(label)) return true;
  if (/^[.,;]?\s\p{L}/u.test(rest)) return false;
  return undefined;
}
