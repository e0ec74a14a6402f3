import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { EdgeSettings, edgeFields, edgeVariables } from './config-edge.js';
import { apiKeys, count, numbersByName, optionalUrl, port, withoutBlanks, wordList } from './config-values.js';

/** Users whose whole hour of uploads one API key may send, unless a setting says otherwise. */
const USERS_OF_A_KEY = 40;
export type { RouteAccess } from './config-edge.js';
export type Role = 'all' | 'api' | 'worker';

/** Every variable the service reads; .env.example holds the same list with its meaning. */
const variables = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(3000),
  DATA_DIR: z.string().min(1).default('.data'),
  MIN_FREE_MB: z.coerce.number().int().min(0).max(100_000_000).default(256),
  DATABASE_URL: optionalUrl(['postgres', 'postgresql']),
  DATABASE_POOL_SIZE: count.max(200).default(20),
  REDIS_URL: optionalUrl(['redis', 'rediss']),
  API_KEYS: apiKeys,
  JWT_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  CORS_ORIGINS: wordList,
  ...edgeVariables,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SHUTDOWN_GRACE_MS: count.max(600_000).default(10_000),
  WORKER_LANES: count.max(1_000).default(64),
  WORKER_THREADS: count.max(256).default(availableParallelism()),
  LEASE_MS: count.min(1_000).max(600_000).default(15_000),
  SWEEP_MS: count.min(100).max(60_000).default(1_000),
  PRIORITY_AGE_MS: count.max(86_400_000).default(15_000),
  STUCK_AFTER_MS: count.min(1_000).max(86_400_000).default(300_000),
  MAX_CONCURRENCY: count.max(1_000_000).optional(),
  TENANT_CONCURRENCY: count.max(1_000_000).optional(),
  TENANT_CONCURRENCY_OF: numbersByName,
  OPERATION_CONCURRENCY_OF: numbersByName,
  TENANT_RATE_PER_MINUTE: count.max(1_000_000).optional(),
  TENANT_RATE_OF: numbersByName,
  READ_CPU_MS: count.min(100).max(86_400_000).default(60_000),
  TENANT_LANES_PERCENT: count.max(100).default(75),
  HANGING_CALLS_OF_BATCH: count.max(1_000_000).default(3),
  HANGING_CALLS_OF_OPERATION: count.max(1_000_000).default(20),
  HANGING_CALLS: count.max(1_000_000).default(1_000),
  NOOP_FAULTS: z.enum(['true', 'false']).default('false'),
  RECYCLE_AFTER_MS: count.max(86_400_000).default(60_000),
  CREATE_LIMIT_PER_MINUTE: count.max(1_000_000).default(600),
  MAX_UPLOAD_BYTES: count.default(1_073_741_824),
  BATCH_DEFAULT_SIZE: count.max(10_000).default(50),
  BATCH_MAX_RETRIES: z.coerce.number().int().min(0).max(100).default(3),
  BATCH_TIMEOUT_MS: count.max(86_400_000).default(30_000),
  BATCH_RETENTION_DAYS: z.coerce.number().min(0).max(36_500).default(30),
  ANNOTATION_TIER: z.enum(['free', 'paid']).default('paid'),
  ANNOTATION_FREE_PER_MINUTE: count.max(1_000_000).default(10),
  ANNOTATION_FREE_CONCURRENCY: count.max(1_000).default(2),
  ANNOTATION_PAID_PER_MINUTE: count.max(1_000_000).default(500),
  ANNOTATION_PAID_CONCURRENCY: count.max(1_000).default(10),
  ENABLE_BATCH: z.enum(['true', 'false']).default('true'),
  UPLOADS_PER_HOUR: count.max(1_000_000).default(3),
  UPLOADS_PER_HOUR_PER_KEY: count.max(1_000_000_000).optional(),
  UPLOAD_MAX_FILES: count.max(1_000).default(50),
  UPLOAD_MAX_FILE_BYTES: count.default(52_428_800),
  UPLOAD_CONCURRENT_FILES: count.max(1_000).default(3),
  UPLOAD_MAX_RETRIES: z.coerce.number().int().min(0).max(100).default(3),
  UPLOAD_TIMEOUT_MS: count.max(86_400_000).default(1_800_000),
  DOCUMENT_TIMEOUT_MS: count.max(86_400_000).default(30_000),
  DOCUMENT_RETENTION_HOURS: z.coerce.number().min(0).max(876_000).default(24),
  AI_BASE_URL: optionalUrl(['http', 'https']),
  AI_API_KEY: z.string().optional(),
  AI_MODEL: z.string().min(1).default('gpt-4o-mini'),
  AI_BREAKER_FAILURES: count.max(1_000).default(5),
  AI_BREAKER_OPEN_MS: count.max(3_600_000).default(30_000),
});

const schema = variables.refine(({ NODE_ENV, NOOP_FAULTS }) => NODE_ENV !== 'production' || NOOP_FAULTS === 'false', {
  path: ['NOOP_FAULTS'],
  message: 'is for tests: it lets any caller harm the service, and production refuses it',
});

/** The variables of .env.example, as text. */
export type Variables = Partial<Record<keyof z.input<typeof schema>, string>>;

/** The service's settings: one checked, frozen object. Times are milliseconds unless a name says otherwise. */
export class Config extends EdgeSettings {
  readonly nodeEnv: 'development' | 'production' | 'test';
  readonly role: Role;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** Megabytes that stay free on the disk of `dataDir`: below that nothing new is taken in. */
  readonly minFreeMb: number;
  /** Unset: an embedded PostgreSQL under `dataDir`. */
  readonly databaseUrl?: string;
  readonly databasePoolSize: number;
  /** Unset: queue, events and limits live in this process. */
  readonly redisUrl?: string;
  readonly apiKeys: readonly { tenant: string; key: string }[];
  readonly jwtSecret?: string;
  readonly corsOrigins: readonly string[];
  readonly logLevel: string;
  readonly shutdownGraceMs: number;
  /** Lanes this process works at the same time. */
  readonly workerLanes: number;
  /** Threads at work at the same time; default: as many as the machine has cores. */
  readonly workerThreads: number;
  /** Processor time for reading or analyzing one file, whatever its batch allows. */
  readonly readCpuMs: number;
  /** How long a worker may be silent before its lane is taken over. */
  readonly leaseMs: number;
  readonly sweepMs: number;
  /** A run that waits for a lane becomes one priority class more urgent after each such time. */
  readonly priorityAgeMs: number;
  /** A running batch of which nothing is heard for this long is reported as stuck. */
  readonly stuckAfterMs: number;
  /** Items side by side, over all processes: of all batches, of each tenant's, of some tenants', of some operations'. Unset: no limit. */
  readonly maxConcurrency?: number;
  readonly tenantConcurrency?: number;
  readonly tenantConcurrencyOf: ReadonlyMap<string, number>;
  readonly operationConcurrencyOf: ReadonlyMap<string, number>;
  /** Items that a tenant may start in a minute, over all processes; of each, and of some. Unset: no limit. */
  readonly tenantRatePerMinute?: number;
  readonly tenantRateOf: ReadonlyMap<string, number>;
  /** Percent of this process's lanes that one tenant may hold while it is alone; beside others it is less. */
  readonly tenantLanesPercent: number;
  /**
   * Calls of item handlers that go on although they were told to stop, in this process: so many pause their batch, keep their operation's
   * items from starting here, and make the process one to be replaced.
   */
  readonly hangingCallsOfBatch: number;
  readonly hangingCallsOfOperation: number;
  readonly hangingCalls: number;
  /** Items of the operation noop may do what harms others. */
  readonly noopFaults: boolean;
  /** How long a fault may last that only a new process is free of. */
  readonly recycleAfterMs: number;
  readonly createLimitPerMinute: number;
  readonly maxUploadBytes: number;
  readonly batchDefaultSize: number;
  readonly batchMaxRetries: number;
  readonly batchTimeoutMs: number;
  readonly batchRetentionDays: number;
  /** Of image annotation: what a tenant may ask of the provider, unless its code says otherwise. */
  readonly annotationTier: 'free' | 'paid';
  readonly annotationTiers: Readonly<Record<'free' | 'paid', { perMinute: number; concurrency: number }>>;
  readonly uploadsEnabled: boolean;
  /** For each user. */
  readonly uploadsPerHour: number;
  /** For each API key, token's subject, or, in open access, address, whatever users it names. */
  readonly uploadsPerHourPerKey: number;
  readonly uploadMaxFiles: number;
  readonly uploadMaxFileBytes: number;
  /** Uploaded files that this process reads at the same time, over all batches. */
  readonly uploadConcurrentFiles: number;
  readonly uploadMaxRetries: number;
  /** Time limit of one uploaded file. */
  readonly uploadTimeoutMs: number;
  /** Time limit of one document. */
  readonly documentTimeoutMs: number;
  readonly documentRetentionHours: number;
  /** An OpenAI-compatible endpoint. Unset: the offline analyzers do the work. */
  readonly aiBaseUrl?: string;
  readonly aiApiKey?: string;
  readonly aiModel: string;
  /** Failures in a row that open the circuit to the provider, and how long it stays open. */
  readonly aiBreakerFailures: number;
  readonly aiBreakerOpenMs: number;

  private constructor(values: Omit<Config, 'runsWorker' | 'servesHttp' | 'hasAccessControl'>) {
    super();
    Object.assign(this, values);
    Object.freeze(this);
  }

  /** @throws Error naming every wrong variable */
  static from(env: Record<string, string | undefined>): Config {
    const parsed = schema.safeParse(withoutBlanks(env));
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
      throw new Error(`Wrong configuration:\n${problems.join('\n')}\nSee .env.example for every variable and its meaning.`);
    }
    const v = parsed.data;
    return new Config({
      nodeEnv: v.NODE_ENV,
      role: v.ROLE,
      host: v.HOST,
      port: v.PORT,
      dataDir: v.DATA_DIR,
      minFreeMb: v.MIN_FREE_MB,
      databaseUrl: v.DATABASE_URL,
      databasePoolSize: v.DATABASE_POOL_SIZE,
      redisUrl: v.REDIS_URL,
      apiKeys: v.API_KEYS,
      jwtSecret: v.JWT_SECRET,
      corsOrigins: v.CORS_ORIGINS,
      ...edgeFields(v),
      logLevel: v.LOG_LEVEL,
      shutdownGraceMs: v.SHUTDOWN_GRACE_MS,
      workerLanes: v.WORKER_LANES,
      workerThreads: v.WORKER_THREADS,
      readCpuMs: v.READ_CPU_MS,
      leaseMs: v.LEASE_MS,
      sweepMs: v.SWEEP_MS,
      ...sharingFields(v),
      ...faultFields(v),
      recycleAfterMs: v.RECYCLE_AFTER_MS,
      createLimitPerMinute: v.CREATE_LIMIT_PER_MINUTE,
      maxUploadBytes: v.MAX_UPLOAD_BYTES,
      batchDefaultSize: v.BATCH_DEFAULT_SIZE,
      batchMaxRetries: v.BATCH_MAX_RETRIES,
      batchTimeoutMs: v.BATCH_TIMEOUT_MS,
      batchRetentionDays: v.BATCH_RETENTION_DAYS,
      ...dialectFields(v),
    });
  }

  get runsWorker(): boolean {
    return this.role !== 'api';
  }

  get servesHttp(): boolean {
    return this.role !== 'worker';
  }

  get hasAccessControl(): boolean {
    return this.apiKeys.length > 0 || this.jwtSecret !== undefined;
  }
}

/** What is done about item handlers that do harm. */
function faultFields(v: z.output<typeof schema>) {
  return {
    hangingCallsOfBatch: v.HANGING_CALLS_OF_BATCH,
    hangingCallsOfOperation: v.HANGING_CALLS_OF_OPERATION,
    hangingCalls: v.HANGING_CALLS,
    noopFaults: v.NOOP_FAULTS === 'true',
  };
}

/** How tenants and batches share the workers. */
function sharingFields(v: z.output<typeof schema>) {
  return {
    tenantLanesPercent: v.TENANT_LANES_PERCENT,
    priorityAgeMs: v.PRIORITY_AGE_MS,
    stuckAfterMs: v.STUCK_AFTER_MS,
    maxConcurrency: v.MAX_CONCURRENCY,
    tenantConcurrency: v.TENANT_CONCURRENCY,
    tenantConcurrencyOf: v.TENANT_CONCURRENCY_OF,
    operationConcurrencyOf: v.OPERATION_CONCURRENCY_OF,
    tenantRatePerMinute: v.TENANT_RATE_PER_MINUTE,
    tenantRateOf: v.TENANT_RATE_OF,
  };
}

/** What only one of the documented interfaces, or the analysis behind them, needs. */
function dialectFields(v: z.output<typeof schema>) {
  return {
    annotationTier: v.ANNOTATION_TIER,
    annotationTiers: {
      free: { perMinute: v.ANNOTATION_FREE_PER_MINUTE, concurrency: v.ANNOTATION_FREE_CONCURRENCY },
      paid: { perMinute: v.ANNOTATION_PAID_PER_MINUTE, concurrency: v.ANNOTATION_PAID_CONCURRENCY },
    },
    uploadsEnabled: v.ENABLE_BATCH === 'true',
    uploadsPerHour: v.UPLOADS_PER_HOUR,
    uploadsPerHourPerKey: v.UPLOADS_PER_HOUR_PER_KEY ?? USERS_OF_A_KEY * v.UPLOADS_PER_HOUR,
    uploadMaxFiles: v.UPLOAD_MAX_FILES,
    uploadMaxFileBytes: v.UPLOAD_MAX_FILE_BYTES,
    uploadConcurrentFiles: v.UPLOAD_CONCURRENT_FILES,
    uploadMaxRetries: v.UPLOAD_MAX_RETRIES,
    uploadTimeoutMs: v.UPLOAD_TIMEOUT_MS,
    documentTimeoutMs: v.DOCUMENT_TIMEOUT_MS,
    documentRetentionHours: v.DOCUMENT_RETENTION_HOURS,
    aiBaseUrl: v.AI_BASE_URL,
    aiApiKey: v.AI_API_KEY,
    aiModel: v.AI_MODEL,
    aiBreakerFailures: v.AI_BREAKER_FAILURES,
    aiBreakerOpenMs: v.AI_BREAKER_OPEN_MS,
  };
}

/** Reads `.env` when there is one, then the environment. The only reader of process.env. */
export function loadConfig(overrides: Record<string, string | undefined> = {}): Config {
  try {
    process.loadEnvFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const config = Config.from({ ...process.env, ...overrides });
  assertSharedDatabase(config);
  return config;
}

/** @throws Error when processes that are to share a database are given none */
export function assertSharedDatabase({ role, databaseUrl }: Pick<Config, 'role' | 'databaseUrl'>): void {
  if (role === 'all' || databaseUrl !== undefined) return;
  throw new Error(`Wrong configuration:\n  DATABASE_URL: must be set for ROLE=${role}: the processes of one service share a database`);
}
