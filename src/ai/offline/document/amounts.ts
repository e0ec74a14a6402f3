import { accountingSign } from './accounting-sign.js';
import { currencyOf, sharedCode } from './currencies.js';
import { hideDates } from './dates.js';
import { hideIdentifiers } from './identifiers.js';
import { type Cell, cellsOf, type NumberToken } from './money-tokens.js';
import { type NumberStyle, type Reading, readNumber, styleOf } from './number-style.js';
import { chainsOf, learnHabits, type Pair, pairsIn } from './pair-money.js';
import { toNarrow } from './plain-characters.js';
import { settleSpaced } from './spaced-numbers.js';

export interface FoundAmount {
  /** As it is written. */
  text: string;
  /** null: nobody can tell, or it has more digits than a number holds. */
  value: number | null;
  /** ISO 4217; null: several countries' money is written so. */
  currency: string | null;
  /** Why value or currency is not sure. */
  doubt?: string;
}

/** In the order of mention, each once. */
export function findAmounts(text: string): FoundAmount[] {
  return new MoneyReader(text).amounts();
}

/** Reads a document's amounts and numbers as its own writer writes them. */
export class MoneyReader {
  private readonly narrow: string;
  private readonly pairs: Pair[];
  private readonly style: NumberStyle;
  private readonly meanings = new Map<string, { code?: string; doubt?: string }>();

  constructor(private readonly text: string) {
    this.narrow = toNarrow(text);
    const cells = settleSpaced(this.narrow, cellsOf(hideLookalikes(this.narrow)));
    const chains = cells.flatMap(({ tokens }) => chainsOf(this.narrow, tokens));
    const habits = learnHabits(chains);
    this.pairs = chains.flatMap((chain) => pairsIn(chain, habits)).filter(isMoney);
    const own = new Set(this.pairs.map(({ number }) => number));
    this.style = styleOf(
      text,
      [...own],
      numbersOf(cells).filter((number) => !own.has(number)),
    );
  }

  amounts(): FoundAmount[] {
    return [...new Map(this.pairs.map((pair) => this.amountOf(pair)).map((amount) => [amount.text, amount])).values()];
  }

  /** The numbers in a part of the document, in their order, percentages left out. */
  numbersIn(part: string): Reading[] {
    const narrow = toNarrow(part);
    const cells = settleSpaced(narrow, cellsOf(hideLookalikes(narrow)));
    const chains = cells.flatMap(({ tokens }) => chainsOf(narrow, tokens));
    const numbers = numbersOf(cells).filter(({ isPercent }) => !isPercent);
    return numbers.map((number) => {
      const pair = chains.flatMap((chain) => pairsIn(chain, new Map())).find((each) => each.number === number);
      const { negative, doubt } = pair ? accountingSign(narrow, pair) : { negative: false, doubt: undefined };
      return doubt
        ? { value: null, doubt }
        : readNumber({ ...number, negative: number.negative || negative }, this.style, pair && this.currencyIn(pair).code);
    });
  }

  private amountOf(pair: Pair): FoundAmount {
    const sign = accountingSign(this.narrow, pair);
    const { code, doubt: codeDoubt } = this.currencyIn(pair);
    const number = { ...pair.number, negative: pair.number.negative || sign.negative };
    const { value, doubt } = readNumber(number, this.style, code);
    const isUnsure = pair.ownerDoubt ?? sign.doubt;
    const doubts = [...new Set([isUnsure, doubt, pair.signDoubt, codeDoubt].filter((each) => each !== undefined))];
    return {
      text: this.text.slice(sign.at, sign.end),
      value: isUnsure ? null : value,
      currency: pair.signDoubt ? null : (code ?? null),
      ...(doubts.length > 0 && { doubt: doubts.join('; ') }),
    };
  }

  private currencyIn({ signs }: Pair): { code?: string; doubt?: string } {
    const [first, second] = signs.map(({ sign }) => sign);
    if (second !== undefined) {
      const [one, other] = [currencyOf(first!), currencyOf(second)];
      return { code: sharedCode(one, other) ?? one.codes[0]! };
    }
    const known = this.meanings.get(first!) ?? this.meaningOf(first!);
    this.meanings.set(first!, known);
    return known;
  }

  /** What a sign means in this document: one of several countries means the one whose code the document names. */
  private meaningOf(sign: string): { code?: string; doubt?: string } {
    const { codes, needsMention } = currencyOf(sign);
    const [usual] = codes;
    if (codes.length === 1) return { code: usual };
    const named = codes.filter((code) => new RegExp(`(?<!\\p{L})${code}(?!\\p{L})`, 'u').test(this.text));
    if (named.length === 0 && !needsMention) return { code: usual };
    if (named.length === 1 && (needsMention || named[0] === usual)) return { code: named[0] };
    const possible = named.length === 0 ? codes.slice(0, 4) : new Set(needsMention ? named : [usual, ...named]);
    return { doubt: `${sign} may be ${[...possible].join(' or ')}` };
  }
}

/** Dates, times, addresses and numbers of other things, as long as they were, in characters that are no numbers. */
function hideLookalikes(text: string): string {
  return hideIdentifiers(hideDates(text)).replace(/(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)/g, (time) => '_'.repeat(time.length));
}

function numbersOf(cells: Cell[]): NumberToken[] {
  return cells.flatMap(({ tokens }) => tokens.filter((token): token is NumberToken => token.kind === 'number'));
}

/** "TOP 10" is no sum in the money of Tonga. */
function isMoney({ signs, number }: Pair): boolean {
  return number.looksLikeMoney || !signs.every(({ sign }) => currencyOf(sign).isWord);
}
