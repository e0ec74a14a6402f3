import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

const PROBLEM_SCHEMA = {
  type: 'object',
  properties: {
    success: { type: 'boolean', enum: [false] },
    error: { type: 'string' },
    message: { type: 'string' },
    statusCode: { type: 'integer' },
    details: {
      type: 'object',
      properties: {
        errors: {
          type: 'array',
          items: {
            type: 'object',
            properties: { path: { type: 'string' }, message: { type: 'string' }, code: { type: 'string' } },
          },
        },
      },
    },
  },
};

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
    .addBearerAuth()
    .addApiKey({ type: 'apiKey', in: 'header', name: 'x-api-key' }, 'api-key')
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('api-key')
    .addGlobalResponse({ status: 'default', description: 'What went wrong, in the same shape everywhere', schema: PROBLEM_SCHEMA })
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description), { jsonDocumentUrl: 'docs-json' });
}
