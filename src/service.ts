import type { ModuleMetadata } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { assertAccessControl } from './access/access.js';
import { AppModule } from './app.module.js';
import { ServiceLogger } from './common/service-logger.js';
import type { Config } from './config.js';
import { startEmbeddedPostgres } from './database/embedded-postgres.js';
import { createHttpApp } from './http-app.js';

export interface RunningService {
  /** Where it answers, without a slash at the end. */
  url: string;
  databaseUrl: string;
  app: NestFastifyApplication;
  /** Drains the work, then closes everything. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  /** Told what takes its time while starting. */
  onProgress?: (message: string) => void;
  /** Modules of the application that embeds the service. */
  modules?: ModuleMetadata['imports'];
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
    return { url: (await app.getUrl()).replace('[::1]', 'localhost'), databaseUrl, app, close };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}
