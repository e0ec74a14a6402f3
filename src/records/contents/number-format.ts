/** What a number of a workbook stands for: days since the calendar began, a time of day, a length of time, or just a number. */
export type NumberKind = 'number' | 'date' | 'time' | 'duration';

export type NumberFormat = (value: number) => NumberKind;

/** Formats that every program knows by their number, some of them in East Asia and Thailand. */
const KNOWN: [first: number, last: number, kind: NumberKind][] = [
  [14, 17, 'date'],
  [18, 21, 'time'],
  [22, 22, 'date'],
  [27, 31, 'date'],
  [32, 33, 'time'],
  [34, 36, 'date'],
  [45, 45, 'time'],
  [46, 46, 'duration'],
  [47, 47, 'time'],
  [50, 58, 'date'],
  [71, 74, 'date'],
  [75, 76, 'time'],
  [77, 77, 'date'],
  [78, 78, 'time'],
  [79, 79, 'duration'],
  [80, 80, 'time'],
  [81, 81, 'date'],
];

export function knownFormat(id: number): NumberFormat {
  const kind = KNOWN.find(([first, last]) => id >= first && id <= last)?.[2] ?? 'number';
  return () => kind;
}

interface Section {
  kind: NumberKind;
  holdsFor: (value: number) => boolean;
}

/** Reads a format's code: up to three sections for numbers, by their sign or by conditions such as `[<1]`, and one for text. */
export function readFormat(code: string): NumberFormat {
  const texts = code.replace(LITERALS, '').split(';');
  const numeric = texts.filter((text) => !text.includes('@'));
  const sections = numeric.map((text, index): Section => ({
    kind: kindOf(text),
    holdsFor: conditionOf(text) ?? bySign(index, numeric.length),
  }));
  const last = sections.at(-1)?.kind ?? 'number';
  if (sections.every(({ kind }) => kind === last)) return () => last;
  return (value) => sections.find(({ holdsFor }) => holdsFor(value))?.kind ?? last;
}

/** Texts in quotes, escaped letters, and the width or repetition of a letter say nothing of the number. */
const LITERALS = /"[^"]*"?|[\\_*]./gs;

/** The first section is for positive numbers, the second for negative ones, the third for zero; a missing one is the first's task. */
function bySign(index: number, sections: number): (value: number) => boolean {
  if (index === 0) return (value) => sections === 1 || value > 0 || (value === 0 && sections === 2);
  return index === 1 ? (value) => value < 0 : (value) => value === 0;
}

const CONDITION = /\[(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)\]/;

function conditionOf(section: string): ((value: number) => boolean) | undefined {
  const [, sign = '', text] = CONDITION.exec(section) ?? [];
  if (sign === '') return undefined;
  const limit = Number(text);
  return (value) => sign.includes(value < limit ? '<' : value > limit ? '>' : '=');
}

const ELAPSED = /\[(?:h+|m+|s+)\]/i;
const IN_BRACKETS = /\[[^\]]*\]/g;
const HALVES_OF_DAY = /AM\/PM|A\/P|上午\/下午|午前\/午後|오전\/오후/gi;
const SECOND_FRACTION = /(s)[.,]0+/gi;

function kindOf(section: string): NumberKind {
  if (ELAPSED.test(section)) return 'duration';
  const letters = section
    .replace(IN_BRACKETS, '')
    .replace(/General/gi, '0')
    .replace(HALVES_OF_DAY, 'h')
    .replace(SECOND_FRACTION, '$1')
    .toLowerCase();
  // A code with digits shows a number, whatever letters a careless program left unquoted beside them.
  if (/[0#?]|[^\P{ASCII}\P{L}abdeghmsy]/u.test(letters)) return 'number';
  if (/[ydegb]|a{3}|m{3}/.test(letters)) return 'date';
  if (/[hs]/.test(letters)) return 'time';
  return letters.includes('m') ? 'date' : 'number';
}
