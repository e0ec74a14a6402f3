import { applyDecorators, type Type } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';

type Schema = Exclude<Extract<Parameters<typeof ApiResponse>[0], { schema: unknown }>['schema'], undefined>;

const PAGINATION: Schema = {
  type: 'object',
  properties: { total: { type: 'integer' }, limit: { type: 'integer' }, offset: { type: 'integer' }, hasMore: { type: 'boolean' } },
  required: ['total', 'limit', 'offset', 'hasMore'],
};

/** Describes a `DataReply` at /docs; of what it is a reply, only TypeScript knows by itself. */
export function RepliesWith(data: Type, status = 200): MethodDecorator {
  return reply(data, status, { data: { $ref: getSchemaPath(data) } });
}

/** Describes a `DataReply` with a list. */
export function RepliesWithList(row: Type): MethodDecorator {
  return reply(row, 200, { data: listOf(row) });
}

/** Describes a `PageReply`. */
export function RepliesWithPage(row: Type): MethodDecorator {
  return reply(row, 200, { data: listOf(row), pagination: PAGINATION });
}

function listOf(row: Type): Schema {
  return { type: 'array', items: { $ref: getSchemaPath(row) } };
}

function reply(model: Type, status: number, fields: Record<string, Schema>): MethodDecorator {
  const properties: Record<string, Schema> = { success: { type: 'boolean', enum: [true] }, ...fields };
  const schema: Schema = { type: 'object', properties, required: Object.keys(properties) };
  return applyDecorators(ApiExtraModels(model), ApiResponse({ status, schema }));
}
