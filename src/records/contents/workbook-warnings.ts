const MAX_WARNINGS = 50;
const MAX_PLACE = 100;

/** What is told once for all places where it was found. */
const ODDITIES = {
  error: 'cells with an error such as #N/A or #DIV/0! instead of a value',
  linked: 'cells with a picture or linked data, of which only the placeholder #VALUE! is read',
  uncalculated:
    'formulas without a stored result, shown as formulas; to have their results read, open and save the workbook in a spreadsheet program',
  outdated: 'formulas whose stored results may be out of date, as the workbook asks to be calculated anew when it is opened',
  missingText: 'cells whose text is missing in the workbook, shown empty',
  missingFormat: 'cells whose format is missing in the workbook; dates and times among them are shown as numbers',
  oddNumber: 'cells that should hold a number and hold something else, shown as written',
  oddPlace: 'cells whose place is not told as it should be, put beside the one before them',
  oddLetter: 'parts with bytes that are no letters in their encoding, shown as \ufffd',
  repeated: 'parts that are in the file twice, of which the later one is read',
  merged: 'merged ranges of cells, whose value is shown in their first cell alone',
  disordered: 'rows that stand in the file after later ones, or twice',
  hiddenRow: 'hidden rows, read like all others',
  hiddenColumn: 'hidden columns, read like all others',
} as const;

export type Oddity = keyof typeof ODDITIES;

/** Gathers what a reader of a workbook should know, in a bounded number of sentences. */
export class WorkbookWarnings {
  private readonly sentences: string[] = [];
  private left = 0;
  private readonly oddities = new Map<Oddity, { count: number; first: string }>();

  add(sentence: string): void {
    if (this.sentences.length < MAX_WARNINGS) this.sentences.push(sentence);
    else this.left += 1;
  }

  /** @param at where it was found: "Prices!C5" */
  note(oddity: Oddity, at: string, count = 1): void {
    const noted = this.oddities.get(oddity);
    if (noted) noted.count += count;
    else this.oddities.set(oddity, { count, first: at.slice(0, MAX_PLACE) });
  }

  toTexts(): string[] {
    const noted = [...this.oddities].map(([oddity, { count, first }]) => `${ODDITIES[oddity]}: ${count}, first ${first}`);
    const rest = this.left === 0 ? [] : [`${this.left} more of the kind`];
    return [...this.sentences, ...rest, ...noted];
  }
}
