import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
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
    return {
      name,
      required: !own.some((each) => each.type === 'conditionalValidation'),
      checks: own.map((each) => each.name ?? each.type),
      opaque: opaque.includes(name),
      nested: own.some((each) => each.type === 'nestedValidation') ? classWithin(type, name) : undefined,
    };
  });
}

/** What an object in the field becomes an instance of. TypeScript keeps no class for a field that may be null. */
function classWithin(type: Type<object>, name: string): Type<object> {
  return (plainToInstance(type, { [name]: {} }) as Record<string, object>)[name]!.constructor as Type<object>;
}

/** The declared fields, with those of the objects that they hold instead of them, by their paths. */
export function leavesOf(type: Type<object>): string[] {
  return fieldsOf(type).flatMap(({ name, nested }) => (nested ? leavesOf(nested).map((leaf) => `${name}.${leaf}`) : [name]));
}
