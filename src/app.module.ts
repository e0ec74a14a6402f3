import { type DynamicModule, Global, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AccessModule } from './access/access.module.js';
import { BatchesModule } from './batches/batches.module.js';
import { loggingModule } from './common/logging.module.js';
import { Config } from './config.js';
import { DatabaseModule } from './database/database.module.js';
import { AnnotationsModule } from './dialects/annotations/annotations.module.js';
import { BatchServiceModule } from './dialects/batch-service/batch-service.module.js';
import { DocumentsModule } from './dialects/documents/documents.module.js';
import { ErpModule } from './dialects/erp/erp.module.js';
import { NativeModule } from './dialects/native/native.module.js';
import { UploadsModule } from './dialects/uploads/uploads.module.js';
import { HealthModule } from './health/health.module.js';
import { OperationsModule } from './operations/operations.module.js';
import { QueueModule } from './queue/queue.module.js';
import { RealtimeModule } from './realtime/realtime.module.js';
import { RecordsModule } from './records/records.module.js';
import { RpcModule } from './rpc/rpc.module.js';
import { WorkerModule } from './worker/worker.module.js';

type Modules = NonNullable<ModuleMetadata['imports']>;

@Global()
@Module({})
class ConfigModule {
  static with(config: Config): DynamicModule {
    return { module: ConfigModule, providers: [{ provide: Config, useValue: config }], exports: [Config] };
  }
}

/** The five documented interfaces, the service's own, and what all of them share. */
const INTERFACES = [
  ErpModule,
  AnnotationsModule,
  UploadsModule,
  BatchServiceModule,
  DocumentsModule,
  NativeModule,
  RecordsModule,
  RealtimeModule,
  RpcModule,
];

/** Which modules a process has: every role has the engine and its item handlers, the interfaces and the worker depend on it. */
@Module({})
export class AppModule {
  /** @param extra modules of the application that embeds the service: its own item handlers, say */
  static forRole(config: Config, databaseUrl: string, extra: Modules = []): DynamicModule {
    const engine = [
      ConfigModule.with(config),
      loggingModule,
      CqrsModule.forRoot(),
      DatabaseModule.forUrl(databaseUrl),
      QueueModule.forRedis(config.redisUrl),
      BatchesModule,
      OperationsModule,
      AccessModule,
      HealthModule,
    ];
    const interfaces = config.servesHttp ? INTERFACES : [];
    const worker = config.runsWorker ? [WorkerModule] : [];
    return { module: AppModule, imports: [...engine, ...interfaces, ...worker, ...extra] };
  }
}
