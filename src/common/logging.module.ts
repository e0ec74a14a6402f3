import { Inject, type MiddlewareConsumer, Module, type NestModule, RequestMethod } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HttpLogger, type Options, pinoHttp } from 'pino-http';
import { Config } from '../config.js';
import { logWithin, ServiceLogger } from './service-logger.js';

const SECRETS = ['authorization', 'cookie', '["x-api-key"]', '["set-cookie"]', 'apiKey', 'token'];

const HTTP_LOGGER = Symbol('HTTP logger');

/** JSON lines through pino, one for each HTTP request, with the request's id (`x-request-id`) in every line that it causes. */
@Module({
  providers: [
    { provide: HTTP_LOGGER, inject: [Config], useFactory: (config: Config) => pinoHttp(httpLogOptions(config)) },
    { provide: ServiceLogger, inject: [HTTP_LOGGER], useFactory: ({ logger }: HttpLogger) => new ServiceLogger(logger) },
  ],
})
export class LoggingModule implements NestModule {
  constructor(@Inject(HTTP_LOGGER) private readonly httpLogger: HttpLogger) {}

  configure(consumer: MiddlewareConsumer): void {
    const logRequest = (request: IncomingMessage, response: ServerResponse, next: () => void): void => {
      this.httpLogger(request, response);
      logWithin(request.log, next);
    };
    // The default route pattern matches nothing on Fastify.
    consumer.apply(logRequest).forRoutes({ path: '{*splat}', method: RequestMethod.ALL });
  }
}

/** About seventy lines at every start that say what is in the source. */
const START_NOISE = new Set(['InstanceLoader', 'RouterExplorer', 'RoutesResolver', 'WebSocketsController']);

export function httpLogOptions(config: Pick<Config, 'logLevel'>): Options {
  return {
    level: config.logLevel,
    hooks: {
      logMethod(args, method) {
        const [fields] = args as unknown as [{ context?: string }];
        if (!START_NOISE.has(fields.context ?? '')) method.apply(this, args);
      },
    },
    redact: { paths: SECRETS.flatMap(redactedPaths), censor: '[redacted]' },
    serializers: {
      req: (request: { id?: unknown; method?: string; url?: string; remoteAddress?: string }) => ({
        id: request.id,
        method: request.method,
        url: request.url?.split('?')[0],
        remoteAddress: request.remoteAddress,
      }),
      res: (response: { statusCode?: number }) => ({ statusCode: response.statusCode }),
    },
    autoLogging: { ignore: isHealthCheck },
    customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'error' : 'info'),
  };
}

/** Below Fastify's middleware `url` is what is left of the address after the route, and `originalUrl` is the whole. */
function isHealthCheck(request: IncomingMessage & { originalUrl?: string }): boolean {
  return (request.originalUrl ?? request.url ?? '').startsWith('/health');
}

function redactedPaths(secret: string): string[] {
  const dotted = secret.startsWith('[') ? secret : `.${secret}`;
  return [secret, `headers${dotted}`, `req.headers${dotted}`, `res.headers${dotted}`, `*${dotted}`];
}
