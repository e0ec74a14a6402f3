import { readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { lastLines, type Cluster } from './embedded-cluster.js';
import { commandLineOf, isAlive } from './embedded-process.js';
import { type SupervisedProcess } from './embedded-supervisor.js';

/** The service's role and database: not a superuser, so that no SQL of the service can reach the machine's files or programs. */
const NAME = 'batchwise';
const START_ATTEMPTS = 20;
/** Replaying the log after a crash takes its time. */
const START_TIMEOUT_MS = 180_000;
/** What goes away by itself: a port that somebody took in between, and the last processes of a server that was killed. */
const PASSING_TROUBLE = /Address already in use|pre-existing shared memory block/;

/** Results are promised to be durable: fsync and synchronous_commit stay on, as they are by default. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_connections: '100',
  log_checkpoints: 'off',
};

/** The PostgreSQL process of a cluster: started, started again when it dies, and stopped. */
export class EmbeddedServer {
  private process?: SupervisedProcess;
  private port = 0;
  private stopping = false;
  private startedAgain = Promise.resolve();

  constructor(
    private readonly cluster: Cluster,
    private readonly settings: Record<string, string>,
    private readonly report: (message: string) => void,
  ) {}

  /** Resolves to the URL of the service's database when that can be used. */
  async start(): Promise<string> {
    await this.launch(freePort);
    try {
      await this.makeDatabase();
    } catch (error) {
      await this.stop();
      throw error;
    }
    return `postgres://${NAME}:${this.cluster.password}@127.0.0.1:${this.port}/${NAME}`;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.process?.stop();
    await this.startedAgain;
  }

  private async launch(choosePort: () => Promise<number>): Promise<void> {
    await stopOrphan(this.cluster, this.report);
    for (let attempt = 1; ; attempt++) {
      const logged = await this.cluster.logSize();
      this.port = await choosePort();
      const process = await this.cluster.run('postgres', this.commandLine());
      this.process = process;
      if (await this.isReady(process)) {
        void process.exited.then(() => (this.startedAgain = this.startAgain()));
        return;
      }
      const log = lastLines(await this.cluster.readLog(logged));
      if (this.stopping || attempt === START_ATTEMPTS || !PASSING_TROUBLE.test(log)) {
        throw new Error(`PostgreSQL in ${this.cluster.path} did not start. The end of its log:\n${log}`);
      }
      await delay(500);
    }
  }

  /** The URL that the service holds must stay true, so the port stays the same. */
  private async startAgain(): Promise<void> {
    if (this.stopping) return;
    this.report('PostgreSQL ended unexpectedly; starting it again');
    const { port } = this;
    await this.launch(() => Promise.resolve(port)).catch((error: Error) => this.report(error.message));
  }

  private commandLine(): string[] {
    const settings = Object.entries({ ...SETTINGS, port: this.port, ...this.settings });
    return ['-D', this.cluster.path, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  }

  /** True when the server answers, false when it has ended instead. */
  private async isReady(process: SupervisedProcess): Promise<boolean> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!process.hasExited()) {
      if (this.stopping) await process.stop();
      try {
        await this.asSuperuser(() => Promise.resolve());
        return true;
      } catch (error) {
        if ((error as { code?: string }).code === '28P01' || Date.now() > deadline) {
          await process.stop();
          throw new Error(`PostgreSQL in ${this.cluster.path} cannot be used: ${(error as Error).message}`, { cause: error });
        }
      }
      await Promise.race([delay(50), process.exited]);
    }
    return false;
  }

  private async makeDatabase(): Promise<void> {
    await this.asSuperuser(async (client) => {
      const role = await client.query('select from pg_roles where rolname = $1', [NAME]);
      if (role.rowCount === 0) await client.query(`create role ${NAME} login createdb password '${this.cluster.password}'`);
      const database = await client.query('select from pg_database where datname = $1', [NAME]);
      if (database.rowCount === 0) await client.query(`create database ${NAME} owner ${NAME}`);
    });
  }

  private async asSuperuser(work: (client: Client) => Promise<void>): Promise<void> {
    const { port, cluster } = this;
    const client = new Client({
      host: '127.0.0.1',
      port,
      user: 'postgres',
      password: cluster.password,
      database: 'postgres',
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => undefined); // the query or connect that it breaks is rejected as well
    try {
      await client.connect();
      await work(client);
    } finally {
      await client.end();
    }
  }
}

/** Ends a server whose supervisor was killed, in an earlier life of the service or in this one. */
async function stopOrphan(cluster: Cluster, report: (message: string) => void): Promise<void> {
  const pidFile = join(cluster.path, 'postmaster.pid');
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid || !isAlive(pid)) return;
  const commandLine = commandLineOf(pid) ?? '';
  if (!commandLine.includes('postgres -D') || !commandLine.includes(cluster.path)) {
    // Another program was given the old server's pid. PostgreSQL cannot tell, and would refuse to start.
    await rm(pidFile);
    return;
  }
  report(`stopping a PostgreSQL that was left behind (process ${pid})`);
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    process.kill(pid, signal);
    for (let tenths = 0; tenths < 50; tenths++) {
      if (!isAlive(pid)) return;
      await delay(100);
    }
  }
  throw new Error(`A PostgreSQL that was left behind in ${cluster.path} (process ${pid}) does not end. End it by hand.`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
