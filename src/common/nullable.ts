import { IsOptional } from 'class-validator';

const NULLABLE = Symbol('nullable fields');

/** Marks an optional input field whose null means "none", unlike in other fields, where it is as if the field were not given. */
export function Nullable(): PropertyDecorator {
  return (prototype, field) => {
    IsOptional()(prototype, field);
    Reflect.defineMetadata(NULLABLE, [...nullableFields(prototype), field as string], prototype);
  };
}

export function nullableFields(prototype: object): string[] {
  return (Reflect.getMetadata(NULLABLE, prototype) as string[] | undefined) ?? [];
}
