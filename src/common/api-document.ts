import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { BODY_EXAMPLES, PATH_EXAMPLES } from './api-examples.js';

type Schema = Exclude<NonNullable<OpenAPIObject['components']>['schemas'], undefined>[string];
type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Bodies = Exclude<Operation['requestBody'], undefined | { $ref: string }>['content'];
type Replies = Operation['responses'];

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;

/** Bodies that are read as a stream of lines, and not as JSON. */
const ROWS = 'A header row that names the fields, then a row a line, as many as there are';
const LINES: Record<string, string> = {
  'application/x-ndjson': 'One JSON object a line, as many as there are',
  'text/csv': ROWS,
  'text/tab-separated-values': ROWS,
  'text/plain': ROWS,
};

const FIELD_ERROR: Schema = {
  type: 'object',
  properties: {
    path: { type: 'string', description: 'The field, such as items.3.key' },
    message: { type: 'string' },
    code: { type: 'string', enum: ['invalid_type', 'invalid_enum_value', 'too_small', 'too_big', 'unrecognized_keys', 'custom'] },
  },
  required: ['path', 'message', 'code'],
};

const PROBLEM: Schema = {
  type: 'object',
  properties: {
    success: { type: 'boolean', enum: [false] },
    error: { type: 'string', description: 'What, which one, what to do' },
    message: { type: 'string', description: 'The same' },
    statusCode: { type: 'integer' },
    details: { type: 'object', properties: { errors: { type: 'array', items: FIELD_ERROR } }, required: ['errors'] },
  },
  required: ['success', 'error', 'message', 'statusCode', 'details'],
};

const PROBLEM_CONTENT = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };

/** OpenAPI of every route: a page at /docs, JSON at /docs-json. Field types come from the classes, when they were built with the Swagger plugin. */
export function describeApi(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRoute', (route) => {
    if (/^\/docs(?:$|[/-])/.test(route.url)) route.config = { ...route.config, accessSetting: 'docsAccess' };
  });
  const description = new DocumentBuilder()
    .setTitle('Batchwise')
    .setDescription('Large batches of work: created, worked in parallel, watched, paused, cancelled, every result recorded once.')
    .setVersion('1')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'The service that shows this page')
    .addBearerAuth()
    .addApiKey({ type: 'apiKey', in: 'header', name: 'x-api-key' }, 'api-key')
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('api-key')
    .build();
  SwaggerModule.setup('docs', app, () => completed(SwaggerModule.createDocument(app, description)), { jsonDocumentUrl: 'docs-json' });
}

/** The document with what no decorator tells: errors, lines, and examples that work as they stand. */
function completed(document: OpenAPIObject): OpenAPIObject {
  const schemas = (document.components!.schemas ??= {});
  for (const schema of Object.values(schemas)) allowAnyJson(schema);
  schemas.Problem = PROBLEM;
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) if (path[method]) complete(path[method]);
  }
  return document;
}

function complete(operation: Operation): void {
  operation.responses = withProblems(operation.responses);
  const named = PATH_EXAMPLES[operation.operationId!.split('_')[0]!] ?? {};
  for (const parameter of operation.parameters ?? []) {
    if ('name' in parameter && parameter.in === 'path') parameter.example = named[parameter.name];
  }
  const body = operation.requestBody;
  if (body && 'content' in body) body.content = withExamples(body.content, operation.operationId!);
}

function withProblems(replies: Replies): Replies {
  const told = Object.entries(replies).map(([status, reply]) => [
    status,
    Number(status) >= 400 ? { ...reply, content: PROBLEM_CONTENT } : reply,
  ]);
  return {
    ...(Object.fromEntries(told) as Replies),
    '4XX': { description: 'What is wrong with the request', content: PROBLEM_CONTENT },
    '5XX': { description: 'A fault of the service, or something that it needs is away', content: PROBLEM_CONTENT },
  };
}

function withExamples(bodies: Bodies, operationId: string): Bodies {
  const told = Object.entries(bodies).map(([type, body]) => {
    const schema: Schema | undefined = LINES[type] ? { type: 'string', description: LINES[type] } : undefined;
    const example = BODY_EXAMPLES[operationId]?.[type];
    return [type, { ...body, ...(schema && { schema }), ...(example !== undefined && { example }) }];
  });
  return Object.fromEntries(told) as Bodies;
}

/** A field of any JSON is marked by a choice among one schema that says nothing (`AnyJson`): it is that schema. */
function allowAnyJson(schema: Schema): void {
  if ('$ref' in schema) return;
  if (schema.anyOf?.length === 1 && Object.keys(schema.anyOf[0]!).length === 0) delete schema.anyOf;
  for (const each of Object.values(schema.properties ?? {})) allowAnyJson(each);
}
