import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import type { RedisServer } from '../../scripts/redis-server.mjs';
import { createTestDatabase, type TestDatabase } from './database.js';
import { ExecutionLog } from './execution-log.js';
import { eventually } from './eventually.js';
import { NativeClient } from './native-client.js';
import { type ServiceProcess, spawnService } from './process.js';
import { startRedis } from './redis.js';
import { TcpProxy } from './tcp-proxy.js';

const PRELOAD = join(__dirname, 'trial-operation.mjs');
export const LEASE_MS = 3_000;
const UP_MS = 240_000;
/** Time for a test to start one. */
export const START_MS = UP_MS + 30_000;

/** What a process says that could not start, because its database was going or coming. */
const AWAY = /cannot be used|terminat|starting up|shutting down/;

type ClusterRole = 'api' | 'worker';

interface ClusterOptions {
  /** Processes that are kept running of each role. One that dies is replaced at once. */
  apis: number;
  workers: number;
  env?: Record<string, string>;
  /** Variables of one process alone, which is about to start. */
  envOf?: (role: ClusterRole) => Record<string, string>;
  /** A database to use instead of a new one on the tests' server; whoever made it drops it. */
  database?: TestDatabase;
  /** The processes reach the database through a proxy. */
  throughProxy?: boolean;
  /** Never start Redis, though the processes are told of one. */
  withoutRedis?: boolean;
}

/** How a process ended that nobody had told to. */
interface Death {
  role: ClusterRole;
  at: number;
  how: string;
  printed: string;
}

/** What a trial needs of the processes that it looks at. */
export type Trialled = Pick<Cluster, 'pool' | 'log' | 'apis' | 'deaths' | 'client'>;

/** Several api and worker processes of the built service, at a database and a Redis of their own. */
export class Cluster {
  readonly deaths: Death[] = [];
  readonly log: ExecutionLog;
  readonly pool: Pool;
  private readonly live = { api: new Set<ServiceProcess>(), worker: new Set<ServiceProcess>() };
  private readonly keepers: Promise<void>[] = [];
  private readonly doomed = new Set<number>();
  private readonly ownEnv = new WeakMap<ServiceProcess, Record<string, string>>();
  private closing = false;

  private constructor(
    private readonly options: ClusterOptions,
    readonly database: TestDatabase,
    public redis: RedisServer,
    readonly link: TcpProxy | undefined,
    private readonly env: Record<string, string>,
  ) {
    this.log = new ExecutionLog(env.EXECUTION_LOG!);
    this.pool = new Pool({ connectionString: database.url, max: 4 });
    this.pool.on('error', () => undefined);
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const database = options.database ?? (await createTestDatabase());
    const redis = await startRedis();
    if (options.withoutRedis) await redis.kill();
    const proxied = options.throughProxy ? await TcpProxy.to(database.url) : undefined;
    const cluster = new Cluster(options, database, redis, proxied?.proxy, {
      LEASE_MS: String(LEASE_MS),
      SWEEP_MS: '500',
      DATABASE_POOL_SIZE: '8',
      CREATE_LIMIT_PER_MINUTE: '1000000',
      DATABASE_URL: proxied?.url ?? database.url,
      REDIS_URL: redis.url,
      EXECUTION_LOG: await mkdtemp(join(tmpdir(), 'batchwise-executions-')),
      ...options.env,
    });
    for (let n = 0; n < options.apis; n += 1) cluster.keepers.push(cluster.keep('api'));
    for (let n = 0; n < options.workers; n += 1) cluster.keepers.push(cluster.keep('worker'));
    await cluster.isUp({ api: options.apis, worker: options.workers });
    return cluster;
  }

  get apis(): ServiceProcess[] {
    return [...this.live.api];
  }

  get workers(): ServiceProcess[] {
    return [...this.live.worker];
  }

  /** At least so many processes serve. */
  async isUp({ api = 0, worker = 0 }: Partial<Record<ClusterRole, number>>): Promise<void> {
    await eventually(
      () => ({ api: this.live.api.size, worker: this.live.worker.size, died: this.deaths.at(-1) }),
      (up) => up.api >= api && up.worker >= worker,
      UP_MS,
    );
  }

  /** What `envOf` gave to the process. */
  envOf(service: ServiceProcess): Record<string, string> {
    return this.ownEnv.get(service)!;
  }

  /** A client of the first api process that serves. */
  client(): NativeClient {
    const [api] = this.live.api;
    if (!api) throw new Error('no api process serves at the moment');
    return new NativeClient(api.url);
  }

  /** Its end is meant; it is replaced all the same. @returns its exit code, and how many items it was at */
  async end(service: ServiceProcess, signal: NodeJS.Signals): Promise<{ code: number | null; inFlight: number }> {
    this.doomed.add(service.pid);
    const code = await service.end(signal);
    return { code, inFlight: this.log.close(service.pid) };
  }

  /** @throws Error with what it printed, unless it ends by itself, well, and within its grace time */
  async terminate(service: ServiceProcess): Promise<void> {
    const { code } = await this.end(service, 'SIGTERM');
    if (code !== 0)
      throw new Error(`a process ended with ${code} when it was asked to end; it printed:\n${service.output().slice(-4_000)}`);
  }

  /** A Redis at the same address as before, with nothing in it. */
  async restartRedis(): Promise<void> {
    this.redis = await startRedis(this.redis.port);
  }

  /** Ends everything; every process must end by itself and well when it is asked to. */
  async close(): Promise<void> {
    this.closing = true;
    const failures: unknown[] = [];
    while (this.live.api.size + this.live.worker.size > 0) {
      await Promise.all(
        [...this.apis, ...this.workers].map((service) => this.terminate(service).catch((error: unknown) => failures.push(error))),
      );
    }
    await Promise.all(this.keepers);
    await this.pool.end();
    this.link?.close();
    await this.redis.stop().catch(() => undefined);
    if (!this.options.database) await this.database.drop();
    await rm(this.env.EXECUTION_LOG!, { recursive: true, force: true });
    expect(failures).toEqual([]);
  }

  /** One place for a process of the role, filled again whenever its process has ended. */
  private async keep(role: ClusterRole): Promise<void> {
    while (!this.closing) {
      const service = await this.spawn(role);
      if (!service) continue;
      if (this.closing) {
        await service.end('SIGKILL');
        return;
      }
      this.live[role].add(service);
      const [code, signal] = await service.ended;
      this.live[role].delete(service);
      if (!this.doomed.has(service.pid))
        this.deaths.push({ role, at: Date.now(), how: signal ?? String(code), printed: service.output().slice(-2_000) });
    }
  }

  /** Without source maps: they add a quarter to the time of a start, and here a thousand processes start. */
  private async spawn(role: ClusterRole): Promise<ServiceProcess | undefined> {
    const own = this.options.envOf?.(role) ?? {};
    try {
      const service = await spawnService({ ...this.env, ROLE: role, ...own }, undefined, ['--import', PRELOAD]);
      this.ownEnv.set(service, own);
      return service;
    } catch (error) {
      // Nothing starts while its database is away; whoever runs a service starts it again.
      if (!AWAY.test(String(error))) this.deaths.push({ role, at: Date.now(), how: 'no start', printed: String(error) });
      return undefined;
    }
  }
}
