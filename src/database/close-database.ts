import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { DatabaseServer } from './database-server.js';
import { DATA_SOURCE } from './sql.js';

/** Closes the connections before the embedded server that they lead to, in whatever order modules are shut down. */
@Injectable()
export class CloseDatabase implements OnApplicationShutdown {
  constructor(
    @InjectDataSource(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly server: DatabaseServer,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
    await this.server.stop();
  }
}
