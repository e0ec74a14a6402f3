import type { NumberKind } from './number-format.js';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^-?(?:0|[1-9]\d*)$/;

/** The number that a cell's value is; undefined for what is none, also where JavaScript would make one of it. */
export function toNumber(value: string): number | undefined {
  const number = NUMBER.test(value) ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/**
 * A number as text: plain, as a day (2026-01-31), a moment (2026-01-31T12:30:00.000Z), or hours, minutes and seconds (36:00:00). What
 * the calendar has no day for stays a plain number.
 * @param value as the file writes it
 */
export function showNumber(value: string, number: number, kind: NumberKind, from1904: boolean): string {
  switch (kind) {
    case 'number':
      return showPlain(value, number);
    case 'duration':
      return showHours(number * MS_OF_A_DAY) ?? showPlain(value, number);
    case 'time':
      // Hours that were added up are often shown in the format of a clock, and hardly ever is one shown of a day in 1900.
      return (number < DAYS_OF_A_YEAR ? showHours(number * MS_OF_A_DAY) : showDate(number, from1904)) ?? showPlain(value, number);
    case 'date':
      return (isTimeAlone(number, from1904) ? showHours(number * MS_OF_A_DAY) : showDate(number, from1904)) ?? showPlain(value, number);
  }
}

const MS_OF_A_DAY = 86_400_000;
const DAYS_OF_A_YEAR = 366;

/** Excel writes 8.7 as 8.6999999999999993; whole numbers beyond 2^53, which only other programs write, keep all their digits. */
function showPlain(value: string, number: number): string {
  return !Number.isSafeInteger(number) && INTEGER.test(value) ? value : String(number);
}

/** The first day of the calendar of 1900 is 1: what is less has a time and no day. */
function isTimeAlone(number: number, from1904: boolean): boolean {
  return number > 0 && number < 1 && !from1904;
}

const DAYS_TO_1970 = 25_569;
const DAYS_TO_1904 = 1_462;
/** 29 February 1900, which never was: Lotus 1-2-3 counted it, and Excel after it. */
const DAY_THAT_NEVER_WAS = 60;
const LAST_DAY = 2_958_465;

function showDate(number: number, from1904: boolean): string | undefined {
  const ms = Math.round((number + (from1904 ? DAYS_TO_1904 : 0)) * MS_OF_A_DAY);
  const day = Math.floor(ms / MS_OF_A_DAY);
  if (number < 0 || day < 1 || day > LAST_DAY) return undefined;
  if (day === DAY_THAT_NEVER_WAS) return withoutMidnight(`1900-02-29${new Date(ms).toISOString().slice(10)}`);
  return showMoment(ms - (day > DAY_THAT_NEVER_WAS ? DAYS_TO_1970 : DAYS_TO_1970 - 1) * MS_OF_A_DAY);
}

/** @returns undefined for what no date can be */
export function showMoment(ms: number): string | undefined {
  const date = new Date(Math.round(ms));
  return Number.isNaN(date.getTime()) ? undefined : withoutMidnight(date.toISOString());
}

/** Workbooks know no time zone; the Z is that of the form alone. */
function withoutMidnight(moment: string): string {
  return moment.replace('T00:00:00.000Z', '');
}

/** 36:00:00, with milliseconds when there are any. @returns undefined for what is too long to be exact */
export function showHours(duration: number): string | undefined {
  const ms = Math.round(Math.abs(duration));
  if (!Number.isSafeInteger(ms)) return undefined;
  const parts = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1_000) % 60];
  const clock = parts.map((part) => String(part).padStart(2, '0')).join(':');
  const rest = ms % 1_000;
  return `${duration < 0 && ms > 0 ? '-' : ''}${clock}${rest === 0 ? '' : `.${String(rest).padStart(3, '0')}`}`;
}
