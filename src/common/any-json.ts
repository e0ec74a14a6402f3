import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** Describes a field of type `unknown` at /docs as any JSON; by itself it is taken for an object. */
export function AnyJson(): PropertyDecorator {
  return ApiProperty({ anyOf: [{}] });
}

export function OptionalAnyJson(): PropertyDecorator {
  return ApiPropertyOptional({ anyOf: [{}] });
}

/** The same of a list. */
export function AnyJsonList(): PropertyDecorator {
  return ApiProperty({ type: 'array', items: {} });
}

export function OptionalAnyJsonList(): PropertyDecorator {
  return ApiPropertyOptional({ type: 'array', items: {} });
}
