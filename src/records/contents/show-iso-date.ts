import { showHours, showMoment } from './show-number.js';

const MOMENT = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?(Z|[+-]\d{2}:?\d{2})?)?$/;
const CLOCK = /^(\d{2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?$/;
const DURATION = /^(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?$/;

/** A date, time or duration that a cell holds as text of ISO 8601, in the forms in which those held as numbers are shown. */
export function showIsoDate(text: string): string {
  const [, day, ...rest] = MOMENT.exec(text) ?? [];
  if (day !== undefined) {
    const midnight = Date.parse(day);
    // JavaScript takes 31 February for 3 March.
    return showMoment(midnight) === day ? (showMoment(midnight + msOf(rest) - offsetOf(rest[3])) ?? text) : text;
  }
  const clock = CLOCK.exec(text);
  if (clock) return showHours(msOf(clock.slice(1))) ?? text;
  const [, sign, days = '0', ...time] = DURATION.exec(text) ?? [];
  if (sign === undefined) return text;
  return showHours((sign === '-' ? -1 : 1) * (Number(days) * MS_OF_A_DAY + msOf(time))) ?? text;
}

const MS_OF_A_DAY = 86_400_000;

function msOf([hours = '0', minutes = '0', seconds = '0']: (string | undefined)[]): number {
  return Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds.replace(',', '.')) * 1_000;
}

function offsetOf(zone: string | undefined): number {
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone ?? '') ?? [];
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * msOf([hours, minutes]);
}
