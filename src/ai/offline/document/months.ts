/** Languages whose dates are read; in the others words like "set" or "pro" would be short names of months. */
const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'nl', 'pt', 'sv', 'da', 'nb', 'fi', 'pl', 'cs'];
const WITH_SHORT_NAMES = ['en', 'de', 'fr', 'nl'];

/** Numbers from 1, by lower-case name without a dot. Beside a day some languages bend the name: "luty", "5 lutego". */
const NUMBERS = new Map([['maerz', 3], ['sept', 9], ...LANGUAGES.flatMap(namesIn)]);
const ENGLISH = new Map([['sept', 9], ...namesIn('en')]);

/** Parts of patterns, the longest name first. */
export const MONTH = alternatives(NUMBERS);
export const ENGLISH_MONTH = alternatives(ENGLISH);

export function monthNumber(name: string): number {
  return NUMBERS.get(name.toLowerCase())!;
}

function namesIn(language: string): [string, number][] {
  const lengths = WITH_SHORT_NAMES.includes(language) ? (['long', 'short'] as const) : (['long'] as const);
  return lengths.flatMap((month) =>
    [{ month }, { month, day: 'numeric' as const }].flatMap((form) => {
      const format = new Intl.DateTimeFormat(language, { ...form, timeZone: 'UTC' });
      return Array.from({ length: 12 }, (_, index): [string, number] => {
        const name = format.formatToParts(Date.UTC(2026, index, 5)).find(({ type }) => type === 'month')!.value;
        return [name.toLowerCase().replace(/\.$/, ''), index + 1];
      });
    }),
  );
}

function alternatives(names: Map<string, number>): string {
  return [...names.keys()].sort((a, b) => b.length - a.length).join('|');
}
