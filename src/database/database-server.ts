import { Injectable, Logger, Module } from '@nestjs/common';
import { Config } from '../config.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.js';

/** Where the database is, for an application that embeds the engine. */
@Injectable()
export class DatabaseServer {
  private readonly logger = new Logger(DatabaseServer.name);
  private embedded?: EmbeddedPostgres;

  constructor(private readonly config: Config) {}

  /** Starts the embedded database when the settings name none. */
  async url(): Promise<string> {
    const { databaseUrl, dataDir } = this.config;
    if (databaseUrl !== undefined) return databaseUrl;
    this.embedded ??= await startEmbeddedPostgres(dataDir, { onProgress: (message) => this.logger.log(message) });
    return this.embedded.url;
  }

  async stop(): Promise<void> {
    await this.embedded?.stop();
  }
}

@Module({ providers: [DatabaseServer], exports: [DatabaseServer] })
export class DatabaseServerModule {}
