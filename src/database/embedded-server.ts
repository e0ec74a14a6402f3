import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { totalBytes } from '../common/disk-bytes.js';
import { lastLines, type Cluster } from './embedded-cluster.js';
import { stopOrphan } from './embedded-orphan.js';
import { LOG_LINE_PREFIX, ServerStartError, troubleOf } from './embedded-start-error.js';
import { type SupervisedProcess } from './embedded-supervisor.js';

/** The service's role and database: not a superuser, so that no SQL of the service can reach the machine's files or programs. */
const NAME = 'batchwise';
/** Of the first start, while what hinders it goes by itself. */
const START_ATTEMPTS = 20;
/** Until it answers at all. While it says that it is starting up, it may take as long as it takes: it replays its log after a crash. */
const START_TIMEOUT_MS = 60_000;
const STARTING_UP = '57P03';
const WRONG_PASSWORD = '28P01';
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** On a full disk a start fails at once, and somebody may make room at any moment. */
const LONGEST_FULL_MS = 2_000;
/** A server that ended sooner may do so again. */
const STEADY_MS = 30_000;
/** Failures in a row after which waiting is given up; a folder that is being mounted is not there for a moment. */
const HOPELESS_TRIES = 5;

/** Results are promised to be durable: fsync and synchronous_commit stay on, as they are by default. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_connections: '100',
  log_checkpoints: 'off',
  log_line_prefix: LOG_LINE_PREFIX,
  // Not the statement: the service logs its errors itself, and a statement may hold a megabyte of somebody's data.
  log_min_error_statement: 'panic',
};

/** The PostgreSQL process of a cluster: started, started again as often as it ends, and stopped. */
export class EmbeddedServer {
  private process?: SupervisedProcess;
  private port = 0;
  private readonly stopping = new AbortController();
  private kept = Promise.resolve();
  private declareLost!: (reason: string) => void;
  /** Fulfilled, with the reason, when it is hopeless to wait for a server any longer. Never rejects. */
  readonly lost = new Promise<string>((resolve) => (this.declareLost = resolve));
  /** Why there is no server at the moment, and what is done about it, for clients; undefined while there is one. */
  trouble?: string;

  constructor(
    private readonly cluster: Cluster,
    private readonly settings: Record<string, string>,
    private readonly report: (message: string) => void,
  ) {}

  /**
   * Resolves to the URL of the service's database when that can be used.
   * @throws ServerStartError
   */
  async start(): Promise<string> {
    await this.launchFirst();
    try {
      await this.makeDatabase();
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.kept = this.keepRunning();
    return `postgres://${NAME}:${this.cluster.password}@127.0.0.1:${this.port}/${NAME}`;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.process?.stop();
    await this.kept;
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async launchFirst(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.port = await freePort();
      try {
        return await this.launch();
      } catch (error) {
        const passes = error instanceof ServerStartError && error.trouble === 'passing';
        if (!passes || attempt === START_ATTEMPTS) throw error;
        await delay(FIRST_PAUSE_MS);
      }
    }
  }

  private async keepRunning(): Promise<void> {
    for (let pauseMs = 0; !this.isStopping;) {
      const startedAt = performance.now();
      await this.process!.exited;
      if (this.isStopping) return;
      this.trouble = 'the embedded PostgreSQL has ended, and is started again; try again';
      this.report('PostgreSQL ended unexpectedly; starting it again');
      pauseMs = await this.startAgain(performance.now() - startedAt > STEADY_MS ? 0 : Math.min(longer(pauseMs), LONGEST_PAUSE_MS));
    }
  }

  /**
   * As often as it takes, with longer and longer pauses. The URL that the service holds must stay true, so the port stays the same.
   * @returns the last pause: the server may end again at once
   */
  private async startAgain(pauseMs: number): Promise<number> {
    for (let hopeless = 0; ;) {
      await delay(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.isStopping) return pauseMs;
      try {
        await this.launch();
        this.trouble = undefined;
        this.report('PostgreSQL runs again');
        return pauseMs;
      } catch (error) {
        if (this.isStopping) return pauseMs;
        hopeless = this.note(error as Error, hopeless);
        const isFull = error instanceof ServerStartError && error.trouble === 'no-space';
        pauseMs = Math.min(longer(pauseMs), isFull ? LONGEST_FULL_MS : LONGEST_PAUSE_MS);
        this.report(`${(error as Error).message}\nIt is started again in ${pauseMs / 1000} s.`);
      }
    }
  }

  /** @returns how many times in a row it was hopeless */
  private note(error: Error, hopeless: number): number {
    const failure = error instanceof ServerStartError ? error : new ServerStartError('unknown', error.message);
    this.trouble = failure.sentence;
    if (failure.trouble !== 'hopeless') return 0;
    if (hopeless + 1 === HOPELESS_TRIES) this.declareLost(failure.message);
    return hopeless + 1;
  }

  /** @throws ServerStartError unless the server runs */
  private async launch(): Promise<void> {
    await stopOrphan(this.cluster.path, this.report);
    const logged = await this.cluster.logSize();
    const process = await this.run();
    this.process = process;
    if (await this.isReady(process)) return;
    const log = await this.cluster.readLog(logged);
    const trouble = await troubleOf(this.cluster.path, log, await process.exited);
    const words = `PostgreSQL in ${this.cluster.path} did not start. The end of its log:\n${lastLines(log)}`;
    throw new ServerStartError(trouble, words);
  }

  private async run(): Promise<SupervisedProcess> {
    try {
      const settings = Object.entries({ ...SETTINGS, ...(await logLimits(this.cluster.path)), port: this.port, ...this.settings });
      return await this.cluster.run('postgres', [
        '-D',
        this.cluster.path,
        ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ]);
    } catch (error) {
      // Not even its log can be opened.
      const { code, message } = error as NodeJS.ErrnoException;
      const trouble = code === 'ENOSPC' ? 'no-space' : code === 'ENOENT' ? 'hopeless' : 'unknown';
      throw new ServerStartError(trouble, `PostgreSQL in ${this.cluster.path} did not start: ${message}`, { cause: error });
    }
  }

  /** True when the server answers, false when it has ended instead. */
  private async isReady(process: SupervisedProcess): Promise<boolean> {
    let answered = performance.now();
    while (!process.hasExited()) {
      if (this.isStopping) await process.stop();
      try {
        await this.asSuperuser(() => Promise.resolve());
        return true;
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string };
        if (code === STARTING_UP) answered = performance.now();
        const isDamaged = /^XX/.test(code);
        if (isDamaged || code === WRONG_PASSWORD || performance.now() - answered > START_TIMEOUT_MS) {
          await process.stop();
          const words = `PostgreSQL in ${this.cluster.path} cannot be used: ${message}`;
          throw new ServerStartError(isDamaged ? 'hopeless' : 'unknown', words, { cause: error });
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

/** PostgreSQL's own limit of a gigabyte would fill a small disk with nothing but its log. */
async function logLimits(folder: string): Promise<Record<string, string>> {
  const megabytes = Math.floor((await totalBytes(folder)) / 2 ** 20 / 10);
  return megabytes >= 1_024 ? {} : { max_wal_size: `${Math.max(64, megabytes)}MB`, min_wal_size: '32MB' };
}

const longer = (pauseMs: number): number => Math.max(FIRST_PAUSE_MS, 2 * pauseMs);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
