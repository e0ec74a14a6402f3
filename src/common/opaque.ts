import { Allow } from 'class-validator';

const OPAQUE = Symbol('opaque fields');

/**
 * Marks an input field that is handed through as it is: long lists, streams and free JSON. Cloning 10,000 items in
 * class-transformer blocks the event loop for about 30 ms; such fields are checked where they are read.
 */
export function Opaque(): PropertyDecorator {
  return (prototype, field) => {
    Allow()(prototype, field);
    Reflect.defineMetadata(OPAQUE, [...opaqueFields(prototype), field as string], prototype);
  };
}

export function opaqueFields(prototype: object): string[] {
  return (Reflect.getMetadata(OPAQUE, prototype) as string[] | undefined) ?? [];
}
