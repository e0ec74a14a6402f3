import type { Type } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';
import { opaqueFields } from '../../src/common/opaque.js';

/** A field of an input class, as far as its decorators tell. */
export interface InputField {
  name: string;
  required: boolean;
  /** Names of its checks: isString, isIn ... */
  checks: string[];
  /** Handed through as it is. */
  opaque: boolean;
  /** The class of the object that it holds. */
  nested?: Type<object>;
}

/** The declared fields of a class that inputs are checked against. */
export function fieldsOf(type: Type<object>): InputField[] {
  const metadata = getMetadataStorage().getTargetValidationMetadatas(type, type.name, false, false);
  const opaque = opaqueFields(type.prototype as object);
  return [...new Set(metadata.map(({ propertyName }) => propertyName))].map((name) => {
    const own = metadata.filter(({ propertyName }) => propertyName === name);
    const declared = Reflect.getMetadata('design:type', type.prototype as object, name) as Type<object> | undefined;
    return {
      name,
      required: !own.some((each) => each.type === 'conditionalValidation'),
      checks: own.map((each) => each.name ?? each.type),
      opaque: opaque.includes(name),
      nested: own.some((each) => each.type === 'nestedValidation') && declared !== Object ? declared : undefined,
    };
  });
}
