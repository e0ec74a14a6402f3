import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import { Readable } from 'node:stream';
import { AppError } from './app-error.js';
import { checkInput } from './check-input.js';

const NOT_CLASSES = new Set<unknown>([Object, String, Number, Boolean, Array, undefined]);

/** Checks a route's body and query against the class-validator class that the parameter names. */
@Injectable()
export class InputPipe implements PipeTransform {
  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || !metatype || NOT_CLASSES.has(metatype) || value instanceof metatype) return value;
    if (value instanceof Readable)
      throw new AppError('UNSUPPORTED_TYPE', 'this route does not read streams or uploads; send the body as application/json');
    return checkInput(metatype, value ?? {});
  }
}
