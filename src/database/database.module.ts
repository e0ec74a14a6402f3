import { type DynamicModule, Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { Config } from '../config.js';
import { dataSourceOptions, openDataSource } from './data-source.js';
import { Database } from './sql.js';

@Global()
@Module({})
export class DatabaseModule {
  /** @param url of the database; migrations run before anything else may use it */
  static forUrl(url: string): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [Config],
          // One try: a wrong address is told at once, and who starts the service starts it again.
          useFactory: (config: Config) => ({ ...dataSourceOptions(url, config.databasePoolSize), retryAttempts: 0 }),
          dataSourceFactory: (options): Promise<DataSource> => openDataSource(options),
        }),
      ],
      providers: [Database],
      exports: [Database, TypeOrmModule],
    };
  }
}
