/** What of a record can be read, as the analyzer takes it. */
export interface Readable {
  /** Its name, as its fields tell. */
  title: string;
  /** What its author says about it in a sentence or two. */
  summary: string;
  keywords: string[];
  /** All prose, in the order of the fields, at most 20,000 characters. May hold Markdown and HTML. */
  body: string;
  /** Share of its fields that are filled, 0 to 1. */
  filled: number;
}

export interface ReadableOptions {
  /** Read only these fields, dotted. */
  textFields?: string[];
  /** Text of the file that belongs to the record. */
  file?: string;
}

type Fields = Record<string, unknown>;

const MAX_BODY = 20_000;
const MAX_DEPTH = 5;
const TITLES = ['title', 'name', 'subject', 'headline', 'label'];
const SUMMARIES = ['description', 'summary', 'abstract', 'excerpt'];
const KEYWORDS = ['keywords', 'tags', 'topics'];
/** What an earlier annotation wrote is not read again: it would agree with itself. */
const OWN = new Set(['annotation', 'annotation_status']);

export function readableOf(fields: Fields, { textFields, file }: ReadableOptions): Readable {
  const own = Object.entries(fields).filter(([name]) => !OWN.has(name));
  const keywords = firstOf(fields, KEYWORDS);
  return {
    title: textOf(firstOf(fields, TITLES)),
    summary: textOf(firstOf(fields, SUMMARIES)),
    keywords: (Array.isArray(keywords) ? keywords : textOf(keywords).split(/[,;]/))
      .map((word) => textOf(word).trim())
      .filter(Boolean)
      .slice(0, 50),
    body: bodyOf(textFields?.map((path) => valueAt(fields, path)) ?? own.map(([, value]) => value), file),
    filled: own.length === 0 ? 0 : own.filter(([, value]) => isFilled(value)).length / own.length,
  };
}

/** Texts of several words; codes and names alone only when there is nothing else to read. */
function bodyOf(values: unknown[], file = ''): string {
  const texts: string[] = [];
  for (const value of values) gather(value, texts, 0);
  const prose = texts.filter((text) => text.trim().includes(' '));
  return [...(prose.length > 0 || file ? prose : texts), file].filter(Boolean).join('\n\n').slice(0, MAX_BODY).toWellFormed();
}

function gather(value: unknown, texts: string[], depth: number): void {
  if (typeof value === 'string') texts.push(value.slice(0, MAX_BODY));
  else if (typeof value === 'object' && value !== null && depth < MAX_DEPTH) {
    for (const inner of Object.values(value).slice(0, 200)) gather(inner, texts, depth + 1);
  }
}

function firstOf(fields: Fields, names: string[]): unknown {
  for (const name of names) {
    const found = Object.keys(fields).find((field) => field.toLowerCase() === name && isFilled(fields[field]));
    if (found) return fields[found];
  }
  return undefined;
}

function valueAt(fields: Fields, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined), fields);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_BODY).toWellFormed() : '';
}

function isFilled(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
