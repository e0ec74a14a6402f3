import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { MODULE_METADATA } from '@nestjs/common/constants.js';
import { APP_FILTER } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { BatchesModule } from './batches/batches.module.js';
import { edgeVariables } from './config-edge.js';
import { assertSharedDatabase, Config, type Variables } from './config.js';
import { AppErrorFilter } from './common/problem.filter.js';
import { ConfigModule } from './config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { DIALECT_MODULES } from './dialects/dialect-modules.js';
import { IdempotencyModule } from './idempotency/idempotency.module.js';
import { OperationsModule } from './operations/operations.module.js';
import { QueueModule } from './queue/queue.module.js';
import { RecordsModule } from './records/records.module.js';
import { WorkerModule } from './worker/worker.module.js';

/** Belong to the service's own server and log; the application that embeds the engine has its own. */
const OF_THE_SERVER = [
  ...(['HOST', 'PORT', 'API_KEYS', 'JWT_SECRET', 'CORS_ORIGINS', 'CREATE_LIMIT_PER_MINUTE', 'LOG_LEVEL'] as const),
  ...(Object.keys(edgeVariables) as (keyof typeof edgeVariables)[]),
] as const;

/** The variables of .env.example without those of the server. The environment is not read. */
export type BatchwiseSettings = Omit<Variables, (typeof OF_THE_SERVER)[number]>;

/**
 * The engine within another NestJS application: procedures, workers, item handlers, records, and the documented interfaces' services for
 * code in the same process; no routes, no sockets, no guards. An `AppError` that one of the application's own routes throws is answered
 * with its status and the error body. Brings CQRS's buses along. Everything is closed in order when the
 * application is: work drains first, the embedded database ends last.
 */
@Module({})
export class BatchwiseModule {
  /** @throws Error that names every wrong setting */
  static forRoot(settings: BatchwiseSettings = {}): DynamicModule {
    const foreign = OF_THE_SERVER.filter((name) => name in settings);
    if (foreign.length > 0) {
      throw new Error(
        `Wrong configuration:\n  ${foreign.join(', ')}: of the service's own server, which an application that embeds it has not`,
      );
    }
    const config = Config.from(settings);
    assertSharedDatabase(config);
    const procedures = [CqrsModule.forRoot(), IdempotencyModule, BatchesModule, ...[...DIALECT_MODULES, RecordsModule].map(withoutRoutes)];
    const worker = config.runsWorker ? [WorkerModule] : [];
    return {
      module: BatchwiseModule,
      global: true,
      imports: [
        ConfigModule.with(config),
        DatabaseModule.forApplication(),
        QueueModule.forRedis(config.redisUrl),
        OperationsModule,
        ...procedures,
        ...worker,
      ],
      providers: [{ provide: APP_FILTER, useClass: AppErrorFilter }],
      exports: procedures,
    };
  }
}

/** A module with all it provides but its controllers: in the application's own server nobody would guard them. */
function withoutRoutes(module: Type): DynamicModule {
  const part = <T>(name: string): T[] => (Reflect.getMetadata(name, module) as T[] | undefined) ?? [];
  @Module({})
  class Routeless {}
  return {
    module: Routeless,
    imports: part<Type>(MODULE_METADATA.IMPORTS),
    providers: part<Type>(MODULE_METADATA.PROVIDERS),
    exports: part<Type>(MODULE_METADATA.EXPORTS),
  };
}
