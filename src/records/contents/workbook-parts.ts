import { knownFormat, type NumberFormat, readFormat } from './number-format.js';
import { partFrom } from './part-name.js';
import { readXml, UNDECLARED, type XmlAttributes } from './read-xml.js';
import { unescapeText } from './xml-text.js';

type Xml = AsyncIterable<string>;

/** A part that another one refers to. */
export interface Relation {
  id: string;
  /** The last word of what it is to the other one: "worksheet", "styles". */
  type: string;
  part: string;
}

/** @param base the part whose references they are, empty for those of the whole file */
export async function readRelations(xml: Xml, base: string): Promise<Relation[]> {
  const relations: Relation[] = [];
  await readXml(xml, {
    open: (name, { Id, Type, Target, TargetMode }) => {
      if (name !== 'Relationship' || !Id || !Target || TargetMode?.value === 'External') return;
      const type = Type?.value.split('/').at(-1) ?? '';
      relations.push({ id: Id.value, type, part: partFrom(base, Target.value) });
    },
  });
  return relations;
}

export interface SheetPlace {
  name: string;
  /** The id of the reference to its cells; empty for one that has none. */
  relation: string;
  state: string;
}

export interface SheetList {
  /** In the workbook's order. */
  sheets: SheetPlace[];
  /** Whether its days are counted from 1904. */
  from1904: boolean;
  /** Whether its formulas are to be calculated when it is opened, whatever results are stored. */
  isOutdated: boolean;
}

export async function readSheetList(xml: Xml): Promise<SheetList> {
  const list: SheetList = { sheets: [], from1904: false, isOutdated: false };
  await readXml(xml, {
    open: (element, attributes, parent) => {
      const { name, state, date1904, fullCalcOnLoad } = attributes;
      if (element === 'workbookPr') list.from1904 = isTrue(date1904?.value);
      if (element === 'calcPr') list.isOutdated = isTrue(fullCalcOnLoad?.value);
      if (element !== 'sheet' || parent !== 'sheets') return;
      list.sheets.push({ name: unescapeText(name?.value ?? ''), relation: relationOf(attributes), state: state?.value ?? 'visible' });
    },
  });
  return list;
}

/** The `id` in the namespace of relationships, whatever its prefix. */
function relationOf(attributes: XmlAttributes): string {
  const ids = Object.values(attributes).filter((attribute) => attribute?.local === 'id' && attribute.prefix !== '');
  return ids.find((id) => id?.uri === UNDECLARED || id?.uri.endsWith('/relationships'))?.value ?? '';
}

/** Longer codes than any program writes are those of nobody's numbers. */
const MAX_CODE = 1_000;

/** @returns for each style of cells, by its number, what its numbers stand for */
export async function readNumberFormats(xml: Xml): Promise<NumberFormat[]> {
  const formats = new Map<string, NumberFormat>();
  const styles: NumberFormat[] = [];
  const formatOf = (id: string): NumberFormat => {
    const format = formats.get(id) ?? knownFormat(Number(id));
    formats.set(id, format);
    return format;
  };
  await readXml(xml, {
    open: (name, { numFmtId, formatCode }, parent) => {
      // Formats of conditional styles stand elsewhere, under numbers of their own.
      if (name === 'numFmt' && parent === 'numFmts') {
        const code = formatCode?.value ?? '';
        formats.set(numFmtId?.value ?? '', readFormat(code.length > MAX_CODE ? '' : code));
      } else if (name === 'xf' && parent === 'cellXfs') styles.push(formatOf(numFmtId?.value ?? '0'));
    },
  });
  return styles;
}

/** The texts that cells refer to by number. @param strings are added one by one: what was read before a broken place remains */
export async function readSharedStrings(xml: Xml, strings: string[]): Promise<void> {
  const gatherer = new TextGatherer();
  await readXml(xml, {
    open: (name, _, parent) => {
      if (name === 'si') gatherer.start(false);
      else gatherer.open(name, parent);
    },
    text: (text) => gatherer.add(text),
    close: (name) => {
      if (name === 'si') strings.push(ownMemory(unescapeText(gatherer.end())));
      else gatherer.close();
    },
  });
}

/** A text without the piece of XML that it was cut out of, which V8 would keep for as long as the text. */
function ownMemory(text: string): string {
  return Buffer.from(text).toString();
}

/** The longest text of a cell; Excel's own has 32,767 characters. */
const MAX_TEXT = 1_048_576;

/** Gathers the text of an element, or that of the runs in it, without the reading aids that stand beside East Asian letters. */
export class TextGatherer {
  private gathered = '';
  private isInside = false;

  /** @param isPlain whether the element's own text is meant, and not that of its runs */
  start(isPlain: boolean): void {
    this.gathered = '';
    this.isInside = isPlain;
  }

  open(name: string, parent: string): void {
    this.isInside = name === 't' && parent !== 'rPh';
  }

  /** @throws Error when it becomes longer than a text of a cell can be */
  add(text: string): void {
    if (!this.isInside) return;
    this.gathered += text;
    if (this.gathered.length > MAX_TEXT) throw new Error(`a cell of it holds more than ${MAX_TEXT} characters`);
  }

  close(): void {
    this.isInside = false;
  }

  end(): string {
    this.isInside = false;
    return this.gathered;
  }
}

export function isTrue(text: string | undefined): boolean {
  return text === '1' || text === 'true';
}
