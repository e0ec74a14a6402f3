import type { DynamicModule } from '@nestjs/common';
import { RequestMethod } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { LoggerModule, type Params } from 'nestjs-pino';
import { Config } from '../config.js';

const SECRETS = ['authorization', 'cookie', '["x-api-key"]', '["set-cookie"]', 'apiKey', 'token'];

/** JSON lines through pino, one for each HTTP request, with the request's id (`x-request-id`) in every line that it causes. */
export const loggingModule: DynamicModule = LoggerModule.forRootAsync({ inject: [Config], useFactory: loggerParams });

/** About seventy lines at every start that say what is in the source. */
const START_NOISE = new Set(['InstanceLoader', 'RouterExplorer', 'RoutesResolver', 'WebSocketsController']);

export function loggerParams(config: Pick<Config, 'logLevel'>): Params {
  return {
    // The default route pattern matches nothing on Fastify.
    forRoutes: [{ path: '{*splat}', method: RequestMethod.ALL }],
    pinoHttp: {
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
    },
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
