import { readXml } from './read-xml.js';

type Xml = AsyncIterable<string>;

/** Where the parts lie that a workbook refers to, by the id of the reference. */
export async function readRelations(xml: Xml): Promise<Map<string, string>> {
  const targets = new Map<string, string>();
  await readXml(xml, {
    open: (name, { Id, Target }) => {
      if (name === 'Relationship' && Id !== undefined && Target !== undefined) targets.set(Id, Target);
    },
  });
  return targets;
}

export interface SheetList {
  /** In the workbook's order; `relation` is the id of the reference to its cells. */
  sheets: { name: string; relation: string }[];
  /** Whether its days are counted from 1904. */
  from1904: boolean;
}

export async function readSheetList(xml: Xml): Promise<SheetList> {
  const list: SheetList = { sheets: [], from1904: false };
  await readXml(xml, {
    open: (name, attributes) => {
      if (name === 'workbookPr') list.from1904 = isTrue(attributes['date1904']);
      if (name === 'sheet') list.sheets.push({ name: attributes['name'] ?? '', relation: relationOf(attributes) });
    },
  });
  return list;
}

/** `r:id`, whatever prefix stands for the relationships. */
function relationOf(attributes: Record<string, string>): string {
  const name = Object.keys(attributes).find((key) => key.endsWith(':id'));
  return name === undefined ? '' : attributes[name]!;
}

/** @returns for each style of cells, by its number, whether it shows a number as a date or a time */
export async function readDateStyles(xml: Xml): Promise<boolean[]> {
  const formats = new Map<string, string>();
  const styles: boolean[] = [];
  let inCellStyles = false;
  await readXml(xml, {
    open: (name, { numFmtId = '', formatCode = '' }) => {
      if (name === 'numFmt') formats.set(numFmtId, formatCode);
      else if (name === 'cellXfs') inCellStyles = true;
      else if (name === 'xf' && inCellStyles) styles.push(isDateFormat(Number(numFmtId), formats.get(numFmtId)));
    },
    close: (name) => {
      if (name === 'cellXfs') inCellStyles = false;
    },
  });
  return styles;
}

/** Formats that every program knows by their number, some of them in East Asia. */
const KNOWN_DATE_FORMATS = [
  [14, 22],
  [27, 36],
  [45, 47],
  [50, 58],
] as const;

function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return KNOWN_DATE_FORMATS.some(([first, last]) => id >= first && id <= last);
  const withoutLiterals = code.replace(/"[^"]*"|\[[^\]]*\]|[\\_*]./g, '');
  return /[ymdhs]/i.test(withoutLiterals.replace(/General/gi, ''));
}

/** The texts that cells refer to by number. */
export async function readSharedStrings(xml: Xml): Promise<string[]> {
  const strings: string[] = [];
  const gatherer = new TextGatherer();
  await readXml(xml, {
    open: (name) => {
      if (name === 'si') gatherer.start();
      else gatherer.open(name);
    },
    text: (text) => gatherer.add(text),
    close: (name) => {
      if (name === 'si') strings.push(gatherer.text);
      else gatherer.close(name);
    },
  });
  return strings;
}

/** Gathers the text of a cell: that of all its runs, without the reading aids that stand beside East Asian letters. */
export class TextGatherer {
  text = '';
  private isInside = false;
  private isAside = false;

  start(): void {
    this.text = '';
  }

  open(name: string): void {
    if (name === 'rPh') this.isAside = true;
    else if (name === 't' || name === 'v') this.isInside = true;
  }

  add(text: string): void {
    if (this.isInside && !this.isAside) this.text += text;
  }

  close(name: string): void {
    if (name === 'rPh') this.isAside = false;
    else if (name === 't' || name === 'v') this.isInside = false;
  }
}

export function isTrue(text: string | undefined): boolean {
  return text === '1' || text === 'true';
}
