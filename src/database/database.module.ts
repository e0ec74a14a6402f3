import { type DynamicModule, Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { Config } from '../config.js';
import { dataSourceOptions, openDataSource } from './data-source.js';
import { DatabaseServer, DatabaseServerModule } from './database-server.js';
import { CloseDatabase } from './close-database.js';
import { FreeSpace } from './free-space.js';
import { DATA_SOURCE, Database } from './sql.js';

@Global()
@Module({})
export class DatabaseModule {
  /** @param url of the database; migrations run before anything else may use it */
  static forUrl(url: string): DynamicModule {
    const connection = TypeOrmModule.forRootAsync({
      name: DATA_SOURCE,
      inject: [Config],
      useFactory: (config: Config) => connectionOptions(url, config),
      dataSourceFactory: (options): Promise<DataSource> => openDataSource(options),
    });
    return {
      module: DatabaseModule,
      imports: [connection],
      providers: [Database, FreeSpace],
      exports: [Database, FreeSpace, TypeOrmModule],
    };
  }

  /** The database that the settings name, or else an embedded one that runs as long as the application does. */
  static forApplication(): DynamicModule {
    const connection = TypeOrmModule.forRootAsync({
      name: DATA_SOURCE,
      imports: [DatabaseServerModule],
      inject: [Config, DatabaseServer],
      useFactory: async (config: Config, server: DatabaseServer) => connectionOptions(await server.url(), config),
      dataSourceFactory: (options): Promise<DataSource> => openDataSource(options),
    });
    return {
      module: DatabaseModule,
      imports: [connection, DatabaseServerModule],
      providers: [Database, FreeSpace, CloseDatabase],
      exports: [Database, FreeSpace, TypeOrmModule],
    };
  }
}

/** One try: a wrong address is told at once, and who starts the service starts it again. */
function connectionOptions(url: string, config: Config) {
  return { ...dataSourceOptions(url, config.databasePoolSize), retryAttempts: 0 };
}
