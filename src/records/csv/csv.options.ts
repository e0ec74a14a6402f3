import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsIn, IsOptional, IsString, MaxLength, MinLength, ValidateBy } from 'class-validator';
import { invalidField } from '../../common/app-error.js';
import { CELL_TYPES, type CellTypes } from './column-type.js';
import type { CsvSyntax } from './cut-rows.js';

export const RAGGED_ROWS = ['pad', 'skip', 'refuse'] as const;
/**
 * What is done with a row that has fewer cells than the header, or values beyond it. `pad`: null fills it up, and values beyond the header
 * get columns of their own; `skip`: it is left out; `refuse`: it is wrong.
 */
export type RaggedRows = (typeof RAGGED_ROWS)[number];

/** A setting that is one character, or a word that stands for one. */
function IsCharacter(word: string): PropertyDecorator {
  const validate = (value: unknown): boolean => value === word || (typeof value === 'string' && /^[^\n\r\0]$/.test(value));
  const defaultMessage = (): string => `$property must be one character, or ${word}`;
  return applyDecorators(IsOptional(), ValidateBy({ name: 'isCharacter', validator: { validate, defaultMessage } }));
}

/** A line's number, also as digits of a query string, or `none`. */
function IsHeaderLine(): PropertyDecorator {
  const validate = (value: unknown): boolean => value === 'none' || (Number.isSafeInteger(value) && (value as number) > 0);
  const defaultMessage = (): string => '$property must be the number of the line that names the columns, from 1, or none';
  return applyDecorators(
    ApiPropertyOptional({
      oneOf: [
        { type: 'integer', minimum: 1 },
        { type: 'string', enum: ['none'] },
      ],
    }),
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value)),
    IsOptional(),
    ValidateBy({ name: 'isHeaderLine', validator: { validate, defaultMessage } }),
  );
}

/** The settings of CSV, a decorator each, for inputs that have them among others. */
export const CsvField = {
  delimiter: () => IsCharacter('tab'),
  quote: () => IsCharacter('none'),
  header: IsHeaderLine,
  charset: () => applyDecorators(IsOptional(), IsString(), MinLength(1), MaxLength(50)),
  comment: () => applyDecorators(IsOptional(), IsString(), MinLength(1), MaxLength(10)),
  raggedRows: () => applyDecorators(IsOptional(), IsIn(RAGGED_ROWS)),
  cells: () => applyDecorators(IsOptional(), IsIn(CELL_TYPES)),
};

/** How a CSV is to be read. What is not said is found out. */
export class CsvOptions {
  /** What parts the cells: one character, or `tab`. */
  @CsvField.delimiter() delimiter?: string;
  /** What cells are wrapped in: one character, or `none`. */
  @CsvField.quote() quote?: string;
  /** The line that names the columns, counted from 1, or `none`. */
  @CsvField.header() header?: number | 'none';
  /** As in a content type: `utf-8`, `windows-1252`. It holds for the other formats of text too. */
  @CsvField.charset() charset?: string;
  /** Lines that begin with it are no rows. */
  @CsvField.comment() comment?: string;
  /** Default: `pad`. */
  @CsvField.raggedRows() raggedRows?: RaggedRows;
  /** Default: `auto`. */
  @CsvField.cells() cells?: CellTypes;
}

/** Settings that mean nothing for other formats. */
export const ONLY_CSV = ['delimiter', 'quote', 'header', 'comment', 'raggedRows', 'cells'] as const satisfies (keyof CsvOptions)[];

/** @throws AppError INVALID_INPUT for a setting of CSV where the format is another one: it would have no effect */
export function refuseCsvOptions(options: CsvOptions, format: string): void {
  const given = ONLY_CSV.find((name) => options[name] !== undefined);
  if (given) throw invalidField(given, `is for CSV, and the rows are ${format}; leave it out`);
}

/** The parts of the syntax that are set. @throws AppError INVALID_INPUT for settings that contradict each other */
export function givenSyntax({ delimiter, quote, comment }: CsvOptions): Partial<CsvSyntax> {
  const syntax: Partial<CsvSyntax> = {};
  if (delimiter !== undefined) syntax.delimiter = delimiter === 'tab' ? '\t' : delimiter;
  if (quote !== undefined) syntax.quote = quote === 'none' ? undefined : quote;
  if (comment !== undefined) syntax.comment = comment;
  if (syntax.delimiter !== undefined && syntax.delimiter === syntax.quote)
    throw invalidField('quote', 'is the delimiter too; they must differ');
  const clash = comment === undefined ? undefined : (['delimiter', 'quote'] as const).find((name) => syntax[name] === comment);
  if (clash) throw invalidField('comment', `is the ${clash} too; they must differ`);
  return syntax;
}
