import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Pool, PoolClient } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { outageOf } from '../common/outage.js';
import { despiteConflicts } from './conflicts.js';
import { openHeartbeatPool } from './heartbeat-pool.js';
import { SilentConnections } from './silent-connections.js';

/** Named, so that an application that embeds the engine can have a database of its own beside it. */
export const DATA_SOURCE = 'batchwise';

/** A named statement: PostgreSQL parses and plans it once a connection. */
export interface Statement {
  name: string;
  text: string;
}

/** Where a statement runs: the pool (a transaction of its own) or one transaction's connection. */
export type Connection = Pick<Pool | PoolClient, 'query'>;

/** One that is a transaction of its own, and that PostgreSQL gave up in favour of others, is sent again. */
export async function run<Row extends object>(connection: Connection, statement: Statement, values: unknown[]): Promise<Row[]> {
  const send = () => connection.query<Row>({ ...statement, values });
  try {
    const { rows } = isPool(connection) ? await despiteConflicts(send) : await send();
    return rows;
  } catch (error) {
    if (outageOf(error)?.kind === 'no-space') for (const watcher of spaceWatchers) watcher();
    throw error;
  }
}

function isPool(connection: Connection): connection is Pool {
  return 'totalCount' in connection;
}

const spaceWatchers = new Set<() => void>();

/**
 * Calls the watcher whenever a database finds no space for a statement.
 * @returns what ends it
 */
export function onNoSpace(watcher: () => void): () => void {
  spaceWatchers.add(watcher);
  return () => spaceWatchers.delete(watcher);
}

/** The pool below TypeORM, for the statements whose speed matters, and transactions that both share. */
@Injectable()
export class Database implements OnApplicationShutdown {
  /** For what must get through while every other connection is taken: a few short statements, outside of transactions. */
  readonly heartbeats: Pool;
  private readonly silent: SilentConnections;

  constructor(@InjectDataSource(DATA_SOURCE) private readonly dataSource: DataSource) {
    this.heartbeats = openHeartbeatPool((dataSource.options as { url: string }).url);
    this.silent = new SilentConnections(this.pool, this.heartbeats);
  }

  get pool(): Pool {
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }

  async onApplicationShutdown(): Promise<void> {
    this.silent.stop();
    if (!this.heartbeats.ending) await this.heartbeats.end();
  }

  /** @param work called again when PostgreSQL gives the transaction up in favour of others: it must change nothing but the database */
  transaction<T>(work: (connection: Connection, manager: EntityManager) => Promise<T>): Promise<T> {
    return despiteConflicts(() =>
      this.dataSource.transaction(async (manager) => {
        const connection = (await manager.queryRunner!.connect()) as PoolClient;
        return work(connection, manager);
      }),
    );
  }
}

/** Whether the database refuses what it was given, now and for ever: SQLSTATE classes 22 (data exception), 54 (program limit exceeded). */
export function isRefusedData(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^(22|54)...$/.test(code);
}
