import { z } from 'zod';

export type Role = 'all' | 'api' | 'worker';

const port = z.coerce.number().int().min(0).max(65_535);
const count = z.coerce.number().int().min(1);
const optionalUrl = (protocols: string[]) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && protocols.some((protocol) => value.startsWith(`${protocol}://`)), {
      message: `must be a URL that starts with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}`,
    })
    .optional();

const apiKeys = z
  .string()
  .default('')
  .transform((list, context) =>
    list
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean)
      .map((entry) => {
        const colon = entry.indexOf(':');
        const [tenant, key] = [entry.slice(0, colon), entry.slice(colon + 1)];
        if (colon < 1 || key.length < 16) {
          context.addIssue({ code: 'custom', message: 'must be a list of tenant:key with keys of at least 16 characters' });
        }
        return { tenant, key };
      }),
  );

/** Every variable the service reads; .env.example holds the same list with its meaning. */
const schema = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(3000),
  DATA_DIR: z.string().min(1).default('.data'),
  DATABASE_URL: optionalUrl(['postgres', 'postgresql']),
  DATABASE_POOL_SIZE: count.max(200).default(20),
  REDIS_URL: optionalUrl(['redis', 'rediss']),
  API_KEYS: apiKeys,
  JWT_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((list) =>
      list
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    ),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SHUTDOWN_GRACE_MS: count.max(600_000).default(10_000),
  WORKER_LANES: count.max(1_000).default(64),
  LEASE_MS: count.min(1_000).max(600_000).default(15_000),
  SWEEP_MS: count.min(100).max(60_000).default(1_000),
  CREATE_LIMIT_PER_MINUTE: count.max(1_000_000).default(600),
  MAX_UPLOAD_BYTES: count.default(1_073_741_824),
  BATCH_DEFAULT_SIZE: count.max(10_000).default(50),
  BATCH_MAX_RETRIES: z.coerce.number().int().min(0).max(100).default(3),
  BATCH_TIMEOUT_MS: count.max(86_400_000).default(30_000),
  BATCH_RETENTION_DAYS: z.coerce.number().min(0).max(36_500).default(30),
});

/** The service's settings: one checked, frozen object. Times are milliseconds unless a name says otherwise. */
export class Config {
  readonly nodeEnv: 'development' | 'production' | 'test';
  readonly role: Role;
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
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
  /** How long a worker may be silent before its lane is taken over. */
  readonly leaseMs: number;
  readonly sweepMs: number;
  readonly createLimitPerMinute: number;
  readonly maxUploadBytes: number;
  readonly batchDefaultSize: number;
  readonly batchMaxRetries: number;
  readonly batchTimeoutMs: number;
  readonly batchRetentionDays: number;

  private constructor(values: Omit<Config, 'runsWorker' | 'servesHttp' | 'hasAccessControl'>) {
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
      databaseUrl: v.DATABASE_URL,
      databasePoolSize: v.DATABASE_POOL_SIZE,
      redisUrl: v.REDIS_URL,
      apiKeys: v.API_KEYS,
      jwtSecret: v.JWT_SECRET,
      corsOrigins: v.CORS_ORIGINS,
      logLevel: v.LOG_LEVEL,
      shutdownGraceMs: v.SHUTDOWN_GRACE_MS,
      workerLanes: v.WORKER_LANES,
      leaseMs: v.LEASE_MS,
      sweepMs: v.SWEEP_MS,
      createLimitPerMinute: v.CREATE_LIMIT_PER_MINUTE,
      maxUploadBytes: v.MAX_UPLOAD_BYTES,
      batchDefaultSize: v.BATCH_DEFAULT_SIZE,
      batchMaxRetries: v.BATCH_MAX_RETRIES,
      batchTimeoutMs: v.BATCH_TIMEOUT_MS,
      batchRetentionDays: v.BATCH_RETENTION_DAYS,
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

/** A variable that is left blank, as in .env.example, is not set. */
function withoutBlanks(env: Record<string, string | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}

/** Reads `.env` when there is one, then the environment. The only reader of process.env. */
export function loadConfig(overrides: Record<string, string | undefined> = {}): Config {
  try {
    process.loadEnvFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const config = Config.from({ ...process.env, ...overrides });
  if (config.role === 'all' || config.databaseUrl) return config;
  throw new Error(
    `Wrong configuration:\n  DATABASE_URL: must be set for ROLE=${config.role}: the processes of one service share a database`,
  );
}
