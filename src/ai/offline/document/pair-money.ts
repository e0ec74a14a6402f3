import { currencyOf, sharedCode } from './currencies.js';
import { FIRM_SPACES } from './numerals.js';
import type { CurrencyToken, MoneyToken, NumberToken } from './money-tokens.js';

/** A number and the currency it is of. */
export interface Pair {
  number: NumberToken;
  /** As they are written: two for "$5 CAD". */
  signs: CurrencyToken[];
  /** From where to where in the text. */
  at: number;
  end: number;
  /** Nobody can tell whether the sign belongs to this number. */
  ownerDoubt?: string;
  /** Nobody can tell which of two signs is the number's. */
  signDoubt?: string;
}

type Side = 'before' | 'after';

/** On which sides of their numbers a document's signs stand, where there is no doubt. */
export type Habits = Map<string, Set<Side>>;

const GAP = new RegExp(`^[ ${FIRM_SPACES}]?$`);

/** Rows of tokens with nothing between them but a space, numbers and signs by turns: "EUR 5 USD 7", "10 € 20". */
export function chainsOf(text: string, tokens: MoneyToken[]): MoneyToken[][] {
  const chains: MoneyToken[][] = [];
  for (const token of tokens) {
    const chain = chains.at(-1);
    const last = chain?.at(-1);
    const isNext = last !== undefined && GAP.test(text.slice(last.end, token.at));
    const one = isNext ? asOneSign(last, token) : undefined;
    if (one) chain!.splice(-1, 1, one);
    else if (isNext && last.kind !== token.kind && !isPercent(token) && !isPercent(last)) chain!.push(token);
    else chains.push([token]);
  }
  return chains.filter((chain) => chain.length > 1);
}

function isPercent(token: MoneyToken): boolean {
  return token.kind === 'number' && token.isPercent;
}

/** "CAD $" is one sign, the one that says more. */
function asOneSign(a: MoneyToken, b: MoneyToken): CurrencyToken | undefined {
  if (a.kind === 'number' || b.kind === 'number') return undefined;
  const [ofA, ofB] = [currencyOf(a.sign), currencyOf(b.sign)];
  if (sharedCode(ofA, ofB) === undefined) return undefined;
  return { kind: 'currency', at: a.at, end: b.end, sign: ofA.codes.length <= ofB.codes.length ? a.sign : b.sign };
}

/** Learns from chains in which every number has its own sign. */
export function learnHabits(chains: MoneyToken[][]): Habits {
  const habits: Habits = new Map();
  for (const chain of chains) {
    if (chain.length % 2 === 1) continue;
    const side = chain[0]!.kind === 'currency' ? 'before' : 'after';
    for (const token of chain) {
      if (token.kind === 'currency') habits.set(token.sign, (habits.get(token.sign) ?? new Set()).add(side));
    }
  }
  return habits;
}

/** Gives each sign to its number. In a chain that begins and ends alike one of the two is left over, and it must be told which. */
export function pairsIn(chain: MoneyToken[], habits: Habits): Pair[] {
  if (chain.length % 2 === 0) return twos(chain);
  return chain[0]!.kind === 'number' ? pairsBetweenNumbers(chain, habits) : pairsBetweenSigns(chain, habits);
}

function twos(chain: MoneyToken[]): Pair[] {
  const pairs: Pair[] = [];
  for (let at = 0; at + 1 < chain.length; at += 2) pairs.push(pair(chain[at]!, chain[at + 1]!));
  return pairs;
}

function pair(...tokens: MoneyToken[]): Pair {
  return {
    number: tokens.find((token): token is NumberToken => token.kind === 'number')!,
    signs: tokens.filter((token): token is CurrencyToken => token.kind === 'currency'),
    at: tokens[0]!.at,
    end: tokens.at(-1)!.end,
  };
}

/** "10 € 20": the sign is the first number's or the second's. */
function pairsBetweenNumbers(chain: MoneyToken[], habits: Habits): Pair[] {
  const side = mayBeCents(chain) ? undefined : (sideByGaps(chain) ?? sideByLook(chain) ?? sideByHabit(chain, habits));
  if (side) return twos(side === 'before' ? chain.slice(1) : chain.slice(0, -1));
  const ownerDoubt = 'its sign may belong to the number before or to the one behind it';
  return chain.flatMap((token, index) => {
    return token.kind === 'currency' ? [{ ...pair(chain[index - 1]!, token), end: chain[index + 1]!.end, ownerDoubt }] : [];
  });
}

/** "$5 CAD" is one amount with two signs; "EUR 5 USD" is one with a sign too many. */
function pairsBetweenSigns(chain: MoneyToken[], habits: Habits): Pair[] {
  const [first, number, last] = chain as [CurrencyToken, NumberToken, CurrencyToken];
  if (chain.length === 3 && (first.sign === last.sign || sharedCode(currencyOf(first.sign), currencyOf(last.sign)))) {
    return [pair(first, number, last)];
  }
  const side = sideByGaps(chain) ?? sideByHabit(chain, habits);
  if (side) return twos(side === 'before' ? chain.slice(0, -1) : chain.slice(1));
  const signDoubt = 'one of the signs beside it belongs to another number';
  return chain.flatMap((token, index) => {
    return token.kind === 'number' ? [{ ...pair(chain[index - 1]!, token, chain[index + 1]!), signDoubt }] : [];
  });
}

/** "35€99" is 35.99 in France. */
function mayBeCents(chain: MoneyToken[]): boolean {
  const [whole, sign, cents] = chain as [NumberToken, CurrencyToken, NumberToken];
  return chain.length === 3 && sign.at === whole.end && /^\d{2}$/.test(cents.digits) && !whole.looksLikeMoney;
}

/** A sign that touches its number on one side and not on the other. */
function sideByGaps(chain: MoneyToken[]): Side | undefined {
  const gaps: Record<Side, number[]> = { before: [], after: [] };
  for (const [index, token] of chain.slice(1).entries()) {
    gaps[token.kind === 'number' ? 'before' : 'after'].push(token.at - chain[index]!.end);
  }
  const touches = (side: Side): boolean => gaps[side].every((gap) => gap === 0);
  const parted = (side: Side): boolean => gaps[side].every((gap) => gap > 0);
  if (touches('before') && parted('after')) return 'before';
  return touches('after') && parted('before') ? 'after' : undefined;
}

/** Money has cents, a quantity has none. */
function sideByLook(chain: MoneyToken[]): Side | undefined {
  const [first, last] = [chain[0] as NumberToken, chain.at(-1) as NumberToken];
  if (first.looksLikeMoney === last.looksLikeMoney) return undefined;
  return first.looksLikeMoney ? 'after' : 'before';
}

/** As the document does elsewhere, or as everybody does, when that is the same for all of the chain's signs. */
function sideByHabit(chain: MoneyToken[], habits: Habits): Side | undefined {
  const sides = chain.filter((token) => token.kind === 'currency').map(({ sign }) => usualSide(sign, habits));
  return sides.every((side) => side === sides[0]) ? sides[0] : undefined;
}

function usualSide(sign: string, habits: Habits): Side | undefined {
  const [known, another] = habits.get(sign) ?? [];
  return another ? undefined : (known ?? currencyOf(sign).side);
}
