import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, IsNumber, IsOptional, isISO8601, Min, ValidateBy } from 'class-validator';

/** An optional whole number in a query string, at least `min`. An empty one is wrong, not zero. */
export function QueryInt(min: number): PropertyDecorator {
  return applyDecorators(IsOptional(), toNumber(), IsInt(), Min(min));
}

/** An optional number in a query string, at least `min`. */
export function QueryNumber(min: number): PropertyDecorator {
  return applyDecorators(IsOptional(), toNumber(), IsNumber(), Min(min));
}

/** An optional `true` or `false` in a query string. */
export function QueryBoolean(): PropertyDecorator {
  return applyDecorators(
    IsOptional(),
    Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value)),
    IsBoolean(),
  );
}

/** An optional ISO 8601 date or time in a query string; see {@link toInstant}. */
export function QueryTime(): PropertyDecorator {
  return applyDecorators(
    IsOptional(),
    ValidateBy({
      name: 'isTime',
      validator: { validate: isTime, defaultMessage: () => '$property must be an ISO 8601 date or time' },
    }),
  );
}

function toNumber(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN));
}

const HAS_ZONE = /(?:Z|[ +-]\d\d(?::?\d\d)?)$/i;

function isTime(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    isISO8601(withPlus(value), { strict: true, strictSeparator: true }) &&
    !Number.isNaN(Date.parse(withZone(value)))
  );
}

/** The full form of a time that {@link QueryTime} let through; without a zone it is UTC. */
export function toInstant(time: string): string {
  return new Date(withZone(time)).toISOString();
}

function withZone(time: string): string {
  return time.includes('T') && !HAS_ZONE.test(time) ? `${time}Z` : withPlus(time);
}

/** A "+" in a query string is a space once decoded. */
function withPlus(time: string): string {
  return time.replace(' ', '+');
}
