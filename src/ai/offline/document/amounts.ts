export interface FoundAmount {
  text: string;
  value: number | null;
  /** ISO 4217 */
  currency: string | null;
}

const SYMBOLS: Record<string, string> = { $: 'USD', '€': 'EUR', '£': 'GBP', '¥': 'JPY' };
const CODE = 'USD|EUR|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK|CNY|INR|BRL';
const NUMBER = "\\d{1,3}(?:[.,' ]\\d{3}){1,5}(?:[.,]\\d{1,2})?|\\d{1,12}(?:[.,]\\d{1,2})?";

const CURRENCY_FIRST = new RegExp(`(?<![\\p{L}\\d])([$€£¥]|(?:${CODE})(?= |\\d))\\s?(-?(?:${NUMBER}))(?![\\d.,]\\d|\\d)`, 'gu');
const CURRENCY_LAST = new RegExp(`(?<![\\d.,])(-?(?:${NUMBER}))\\s?([$€£¥]|(?:${CODE})(?![\\p{L}\\d]))`, 'gu');

/** In the order of mention, each once. */
export function findAmounts(text: string): FoundAmount[] {
  const found = [
    ...[...text.matchAll(CURRENCY_FIRST)].map((match) => read(match, match[2]!, match[1]!)),
    ...[...text.matchAll(CURRENCY_LAST)].map((match) => read(match, match[1]!, match[2]!)),
  ].sort((a, b) => a.at - b.at);
  return [...new Map(found.map(({ amount }) => [amount.text, amount])).values()];
}

function read(match: RegExpMatchArray, number: string, currency: string): { at: number; amount: FoundAmount } {
  return { at: match.index!, amount: { text: match[0], value: toNumber(number), currency: SYMBOLS[currency] ?? currency } };
}

/** "1,234.50", "1.234,50" and "1 234,50": the last separator with one or two digits behind it is the decimal one. */
export function toNumber(text: string): number | null {
  const digits = text.replace(/[^\d.,-]/g, '');
  const decimal = /[.,](\d{1,2})$/.exec(digits);
  const whole = (decimal ? digits.slice(0, decimal.index) : digits).replace(/[.,]/g, '');
  const value = Number(`${whole}.${decimal?.[1] ?? '0'}`);
  return whole === '' || whole === '-' || Number.isNaN(value) ? null : value;
}
