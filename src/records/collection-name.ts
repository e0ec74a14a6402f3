import { applyDecorators } from '@nestjs/common';
import { IsString, Matches } from 'class-validator';

/** Checks the name of a collection: 1 to 100 letters, digits, dots, dashes and underscores. */
export function IsCollectionName(): PropertyDecorator {
  return applyDecorators(
    IsString(),
    Matches(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, {
      message: '$property must be 1 to 100 letters, digits, dots, dashes or underscores, and begin with a letter or digit',
    }),
  );
}
