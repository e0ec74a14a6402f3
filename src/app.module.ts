import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AccessModule } from './access/access.module.js';
import { BatchesModule } from './batches/batches.module.js';
import { LoggingModule } from './common/logging.module.js';
import type { Config } from './config.js';
import { ConfigModule } from './config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { DIALECT_MODULES } from './dialects/dialect-modules.js';
import { NativeModule } from './dialects/native/native.module.js';
import { HealthModule } from './health/health.module.js';
import { HomeModule } from './home/home.module.js';
import { IdempotencyModule } from './idempotency/idempotency.module.js';
import { OperationsModule } from './operations/operations.module.js';
import { QueueModule } from './queue/queue.module.js';
import { RealtimeModule } from './realtime/realtime.module.js';
import { RecordsModule } from './records/records.module.js';
import { RpcModule } from './rpc/rpc.module.js';
import { WaitingModule } from './waiting/waiting.module.js';
import { WorkerModule } from './worker/worker.module.js';

type Modules = NonNullable<ModuleMetadata['imports']>;

/** The five documented interfaces, the service's own, and what all of them share. */
const INTERFACES = [...DIALECT_MODULES, NativeModule, RecordsModule, RealtimeModule, RpcModule, HomeModule];

/** Which modules a process has: every role has the engine and its item handlers, the interfaces and the worker depend on it. */
@Module({})
export class AppModule {
  /** @param extra modules of the application that embeds the service: its own item handlers, say */
  static forRole(config: Config, databaseUrl: string, extra: Modules = []): DynamicModule {
    const engine = [
      ConfigModule.with(config),
      LoggingModule,
      CqrsModule.forRoot(),
      DatabaseModule.forUrl(databaseUrl),
      QueueModule.forRedis(config.redisUrl),
      IdempotencyModule,
      BatchesModule,
      OperationsModule,
      AccessModule,
      HealthModule,
      WaitingModule,
    ];
    const interfaces = config.servesHttp ? INTERFACES : [];
    const worker = config.runsWorker ? [WorkerModule] : [];
    return { module: AppModule, imports: [...engine, ...interfaces, ...worker, ...extra] };
  }
}
