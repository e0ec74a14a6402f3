import type { Piece } from './piece.js';

/** What pdf.js tells of an annotation, as far as it is text. All of it comes from the file: nothing is sure to be there. */
export interface Annotation {
  subtype?: unknown;
  rect?: unknown;
  annotationFlags?: unknown;
  hidden?: unknown;
  fieldType?: unknown;
  fieldName?: unknown;
  fieldValue?: unknown;
  alternativeText?: unknown;
  password?: unknown;
  multiLine?: unknown;
  checkBox?: unknown;
  radioButton?: unknown;
  exportValue?: unknown;
  buttonValue?: unknown;
  options?: unknown;
  defaultAppearanceData?: { fontSize?: unknown };
  textContent?: unknown;
  contentsObj?: { str?: unknown };
  titleObj?: { str?: unknown };
}

/** Bits that say that nobody sees it. */
const HIDDEN = 2 | 32;
/** Remarks about the page; the contents of links and of their like are for programs. */
const REMARKS = new Set([
  'Text',
  'Highlight',
  'Underline',
  'Squiggly',
  'StrikeOut',
  'Stamp',
  'Caret',
  'Ink',
  'Square',
  'Circle',
  'Line',
  'Polygon',
  'PolyLine',
  'FileAttachment',
]);
const FONT_SIZE = { least: 4, usual: 10 };
const LEADING = 1.2;
/** Width of a letter, as a share of the font size. */
const LETTER = 0.5;
const MAX_LINES = 1_000;

/** What people have written into a page: values of form fields and free text, where they stand, and remarks. */
export interface FillIns {
  pieces: Piece[];
  remarks: string[];
}

/** @param rotation of the page, in degrees with the clock */
export function fillInsOf(annotations: Annotation[], rotation: number): FillIns {
  const pieces: Piece[] = [];
  const remarks: string[] = [];
  for (const annotation of annotations) {
    if (isHidden(annotation)) continue;
    const text = shownText(annotation);
    if (text !== '') pieces.push(...piecesOf(text, annotation, (rotation * Math.PI) / 180));
    else if (REMARKS.has(String(annotation.subtype))) remarks.push(...remarkOf(annotation));
  }
  return { pieces, remarks };
}

function isHidden({ annotationFlags, hidden, password }: Annotation): boolean {
  return hidden === true || password === true || (typeof annotationFlags === 'number' && (annotationFlags & HIDDEN) !== 0);
}

function shownText(annotation: Annotation): string {
  if (annotation.subtype === 'FreeText') return textOf(annotation.contentsObj?.str) || appearanceOf(annotation);
  if (annotation.subtype !== 'Widget') return '';
  switch (annotation.fieldType) {
    case 'Tx':
      return textOf(annotation.fieldValue) || appearanceOf(annotation);
    case 'Ch':
      return choiceOf(annotation);
    case 'Btn':
      return buttonOf(annotation);
    default:
      return '';
  }
}

function appearanceOf({ textContent }: Annotation): string {
  return Array.isArray(textContent) ? textContent.map(textOf).join('\n').trim() : '';
}

/** What was chosen, as the list shows it. */
function choiceOf({ fieldValue, options }: Annotation): string {
  const chosen = Array.isArray(fieldValue) ? (fieldValue as unknown[]) : [fieldValue];
  const list = Array.isArray(options) ? (options as { exportValue?: unknown; displayValue?: unknown }[]) : [];
  const shown = (value: unknown): string => textOf(list.find(({ exportValue }) => exportValue === value)?.displayValue) || textOf(value);
  return chosen.map(shown).filter(Boolean).join(', ');
}

/**
 * "newsletter: on" for a box; of several buttons the chosen one as "payment: card", or "payment: on" where it has only a number: what
 * stands beside it tells what was chosen. A button to push has only a caption.
 */
function buttonOf(annotation: Annotation): string {
  const { checkBox, radioButton, fieldValue, exportValue, buttonValue } = annotation;
  const name = nameOf(annotation);
  if (checkBox === true) return `${name}: ${isOn(fieldValue, exportValue) ? 'on' : 'off'}`;
  if (radioButton !== true || typeof buttonValue !== 'string' || fieldValue !== buttonValue) return '';
  return `${name}: ${/^\d+$/.test(buttonValue) ? 'on' : buttonValue}`;
}

function isOn(value: unknown, exportValue: unknown): boolean {
  return typeof value === 'string' && value !== 'Off' && (typeof exportValue !== 'string' || value === exportValue);
}

/** What the form shows as its name, else the last part of the one that programs use. */
function nameOf({ alternativeText, fieldName }: Annotation): string {
  const name = textOf(fieldName);
  return textOf(alternativeText) || name.slice(name.lastIndexOf('.') + 1).replace(/\[\d+\]$/, '') || 'box';
}

function remarkOf({ contentsObj, titleObj }: Annotation): string[] {
  const text = textOf(contentsObj?.str);
  const by = textOf(titleObj?.str);
  return text === '' ? [] : [`Note${by && ` by ${by}`}: ${text}`];
}

/** Its lines in its rectangle; a single one in the middle of its height. */
function piecesOf(text: string, { rect, defaultAppearanceData, multiLine, subtype }: Annotation, angle: number): Piece[] {
  if (!isRect(rect)) return [];
  const { left, top, width, height } = turned(rect, angle);
  const lines = text.split(/\r\n?|\n/).slice(0, MAX_LINES);
  const size = sizeOf(defaultAppearanceData?.fontSize, height);
  const inMiddle = lines.length === 1 && multiLine !== true && subtype === 'Widget';
  const first = top + (inMiddle ? height / 2 + size / 3 : size);
  return lines.flatMap((line, index): Piece[] => {
    const words = line.trim();
    if (words === '') return [];
    const baseline = first + index * LEADING * size;
    const x = left * Math.cos(angle) + baseline * Math.sin(angle);
    const y = left * Math.sin(angle) - baseline * Math.cos(angle);
    const length = Math.min(width, words.length * size * LETTER);
    return [{ text: words, x, y, length, size, angle, font: 'fill-in', spaced: { before: true, after: true } }];
  });
}

/** A rectangle as text sees it that runs at an angle; `top` grows downwards. */
function turned([x1, y1, x2, y2]: Rect, angle: number): { left: number; top: number; width: number; height: number } {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const lefts = [x1 * cos + y1 * sin, x2 * cos + y2 * sin];
  const tops = [x1 * sin - y1 * cos, x2 * sin - y2 * cos];
  const [left, top] = [Math.min(...lefts), Math.min(...tops)];
  return { left, top, width: Math.max(...lefts) - left, height: Math.max(...tops) - top };
}

type Rect = [number, number, number, number];

function sizeOf(fontSize: unknown, height: number): number {
  if (typeof fontSize === 'number' && fontSize > 0) return fontSize;
  return Math.max(FONT_SIZE.least, Math.min(FONT_SIZE.usual, height * 0.7));
}

function isRect(rect: unknown): rect is Rect {
  return Array.isArray(rect) && rect.length === 4 && rect.every((value) => Number.isFinite(value));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}
