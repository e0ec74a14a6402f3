import type { ModuleMetadata } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { assertAccessControl } from './access/access.js';
import { AppModule } from './app.module.js';
import { ProcessRecycler, RECYCLE_EXIT_CODE } from './common/process-recycler.js';
import { ServiceLogger } from './common/service-logger.js';
import type { Config } from './config.js';
import { DATABASE_LOST_EXIT_CODE, startEmbeddedPostgres } from './database/embedded-postgres.js';
import { endOnSignals, type EndOptions } from './end-on-signals.js';
import { createHttpApp } from './http-app.js';

export interface RunningService {
  /** Where it answers, without a slash at the end. */
  url: string;
  databaseUrl: string;
  app: NestFastifyApplication;
  /** Fulfilled, with the reason, when the embedded database has ended for good. Never rejects; of a database elsewhere it is never fulfilled. */
  databaseLost: Promise<string>;
  /** Drains the work, then closes everything. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  /** Told what takes its time while starting. */
  onProgress?: (message: string) => void;
  /** Modules of the application that embeds the service. */
  modules?: ModuleMetadata['imports'];
  /**
   * Whether the process belongs to the service: SIGTERM, SIGINT (Ctrl-C) and SIGHUP then close it in order, within SHUTDOWN_GRACE_MS, and
   * end the process with 0; a fault that only a new process is free of ends it with 75, an embedded database that is lost with 74. Default: false, and whoever starts the service
   * closes it.
   */
  signals?: boolean;
}

/** Starts a whole service in this process, with its own PostgreSQL when the configuration names none. */
export async function startService(config: Config, options: ServiceOptions = {}): Promise<RunningService> {
  assertAccessControl(config);
  const embedded = config.databaseUrl ? undefined : await startEmbeddedPostgres(config.dataDir, { onProgress: options.onProgress });
  const databaseUrl = config.databaseUrl ?? embedded!.url;
  try {
    const app = await createHttpApp(AppModule.forRole(config, databaseUrl, options.modules), config);
    app.useLogger(app.get(ServiceLogger));
    await app.listen(config.port, config.host);
    const close = async (): Promise<void> => {
      await app.close();
      await embedded?.stop();
    };
    if (options.signals) endInOrder(app, config, { close, tell: options.onProgress, lost: embedded?.lost });
    const databaseLost = embedded?.lost ?? new Promise<never>(() => undefined);
    return { url: (await app.getUrl()).replace('[::1]', 'localhost'), databaseUrl, app, databaseLost, close };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

interface Ending extends Pick<EndOptions, 'close'>, Partial<Pick<EndOptions, 'tell'>> {
  /** Of an embedded database: see RunningService. */
  lost?: Promise<string>;
}

function endInOrder(app: NestFastifyApplication, config: Config, { close, tell, lost }: Ending): void {
  const logger = app.get(ServiceLogger);
  const end = endOnSignals({ close, graceMs: config.shutdownGraceMs, tell: tell ?? ((message) => logger.log(message)) });
  void app.get(ProcessRecycler).due.then((reason) => end.begin(`This process must be replaced (${reason})`, RECYCLE_EXIT_CODE));
  void lost?.then((reason) => end.begin(`The database is lost (${reason})`, DATABASE_LOST_EXIT_CODE));
}
