import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Config } from '../../src/config.js';

const TIERS = { free: { perMinute: 10, concurrency: 2 }, paid: { perMinute: 500, concurrency: 10 } };

function tierVariable(tier: 'free' | 'paid', part: 'perMinute' | 'concurrency', tooBig: string) {
  const becomes = { ...TIERS, [tier]: { ...TIERS[tier], [part]: 7 } };
  return { field: 'annotationTiers' as const, byDefault: TIERS, given: '7', becomes, wrong: ['0', '1.5', tooBig] };
}

function numbersVariable(field: keyof Config) {
  const becomes = new Map([
    ['acme', 50],
    ['a:b', 7],
  ]);
  return { field, byDefault: new Map(), given: 'acme:50, a:b:7', becomes, wrong: ['acme', 'acme:', ':5', 'acme:0', 'acme:1.5', 'acme:x'] };
}

/** Every variable: the field it sets, its default, a value and what that becomes, and values that are refused. */
const VARIABLES: Record<string, { field: keyof Config; byDefault: unknown; given: string; becomes: unknown; wrong: string[] }> = {
  NODE_ENV: { field: 'nodeEnv', byDefault: 'development', given: 'test', becomes: 'test', wrong: ['staging'] },
  ROLE: { field: 'role', byDefault: 'all', given: 'worker', becomes: 'worker', wrong: ['boss'] },
  HOST: { field: 'host', byDefault: '127.0.0.1', given: '0.0.0.0', becomes: '0.0.0.0', wrong: [] },
  PORT: { field: 'port', byDefault: 3000, given: '8080', becomes: 8080, wrong: ['-1', '65536', 'http', '80.5'] },
  DATA_DIR: { field: 'dataDir', byDefault: '.data', given: '/var/data', becomes: '/var/data', wrong: [] },
  MIN_FREE_MB: { field: 'minFreeMb', byDefault: 256, given: '0', becomes: 0, wrong: ['-1', '0.5', '100000001'] },
  DATABASE_URL: {
    field: 'databaseUrl',
    byDefault: undefined,
    given: 'postgres://h/d',
    becomes: 'postgres://h/d',
    wrong: ['mysql://h/d', 'h'],
  },
  DATABASE_POOL_SIZE: { field: 'databasePoolSize', byDefault: 20, given: '5', becomes: 5, wrong: ['0', '201', 'x'] },
  REDIS_URL: { field: 'redisUrl', byDefault: undefined, given: 'redis://h', becomes: 'redis://h', wrong: ['http://h'] },
  API_KEYS: {
    field: 'apiKeys',
    byDefault: [],
    given: 'a:0123456789abcdef, b:0123456789abcdef:g',
    becomes: [
      { tenant: 'a', key: '0123456789abcdef' },
      { tenant: 'b', key: '0123456789abcdef:g' },
    ],
    wrong: [
      ...['a:short', '0123456789abcdef', ':0123456789abcdef'],
      ...['a:0123456789abcdef,b:0123456789abcdef', 'a:0123456789abcdef,a:0123456789abcdef'],
    ],
  },
  JWT_SECRET: { field: 'jwtSecret', byDefault: undefined, given: 'x'.repeat(32), becomes: 'x'.repeat(32), wrong: ['x'.repeat(31)] },
  CORS_ORIGINS: { field: 'corsOrigins', byDefault: [], given: 'https://a, https://b', becomes: ['https://a', 'https://b'], wrong: [] },
  ALLOWED_HOSTS: {
    field: 'allowedHosts',
    byDefault: [],
    given: 'batch.example, [::1]',
    becomes: ['batch.example', '[::1]'],
    wrong: ['https://batch.example', 'batch.example:3000', 'a b'],
  },
  METRICS_ACCESS: { field: 'metricsAccess', byDefault: 'authenticated', given: 'public', becomes: 'public', wrong: ['nobody'] },
  DOCS_ACCESS: { field: 'docsAccess', byDefault: 'public', given: 'off', becomes: 'off', wrong: ['nobody'] },
  FAILED_CREDENTIALS_PER_MINUTE: { field: 'failedCredentialsPerMinute', byDefault: 300, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  CONNECTIONS_PER_ADDRESS: { field: 'connectionsPerAddress', byDefault: undefined, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  HEADERS_TIMEOUT_MS: { field: 'headersTimeoutMs', byDefault: 20_000, given: '100', becomes: 100, wrong: ['99', '86400001'] },
  BODY_IDLE_MS: { field: 'bodyIdleMs', byDefault: 30_000, given: '100', becomes: 100, wrong: ['99', '86400001'] },
  BODY_MIN_BYTES_PER_SECOND: { field: 'bodyMinBytesPerSecond', byDefault: 500, given: '0', becomes: 0, wrong: ['-1', '1.5'] },
  ANSWER_IDLE_MS: { field: 'answerIdleMs', byDefault: 120_000, given: '100', becomes: 100, wrong: ['99', '86400001'] },
  KEEP_ALIVE_MS: { field: 'keepAliveMs', byDefault: 72_000, given: '100', becomes: 100, wrong: ['99', '86400001'] },
  SOCKETS_PER_TENANT: { field: 'socketsPerTenant', byDefault: 1_000, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  SUBSCRIPTIONS_PER_TENANT: { field: 'subscriptionsPerTenant', byDefault: 1_000, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  SOCKET_MESSAGES_PER_SECOND: { field: 'socketMessagesPerSecond', byDefault: 50, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  LOG_LEVEL: { field: 'logLevel', byDefault: 'info', given: 'debug', becomes: 'debug', wrong: ['loud'] },
  SHUTDOWN_GRACE_MS: { field: 'shutdownGraceMs', byDefault: 10_000, given: '5', becomes: 5, wrong: ['0', '600001'] },
  WORKER_LANES: { field: 'workerLanes', byDefault: 64, given: '5', becomes: 5, wrong: ['0', '1001'] },
  WORKER_THREADS: { field: 'workerThreads', byDefault: availableParallelism(), given: '5', becomes: 5, wrong: ['0', '257', '1.5'] },
  LEASE_MS: { field: 'leaseMs', byDefault: 15_000, given: '1000', becomes: 1_000, wrong: ['999', '600001'] },
  SWEEP_MS: { field: 'sweepMs', byDefault: 1_000, given: '100', becomes: 100, wrong: ['99', '60001'] },
  STUCK_AFTER_MS: { field: 'stuckAfterMs', byDefault: 300_000, given: '1000', becomes: 1_000, wrong: ['999', '86400001'] },
  TENANT_LANES_PERCENT: { field: 'tenantLanesPercent', byDefault: 75, given: '100', becomes: 100, wrong: ['0', '101', '7.5'] },
  HANGING_CALLS_OF_BATCH: { field: 'hangingCallsOfBatch', byDefault: 3, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  HANGING_CALLS_OF_OPERATION: { field: 'hangingCallsOfOperation', byDefault: 20, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  HANGING_CALLS: { field: 'hangingCalls', byDefault: 1_000, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  NOOP_FAULTS: { field: 'noopFaults', byDefault: false, given: 'true', becomes: true, wrong: ['1', 'yes'] },
  PRIORITY_AGE_MS: { field: 'priorityAgeMs', byDefault: 15_000, given: '5', becomes: 5, wrong: ['0', '86400001'] },
  MAX_CONCURRENCY: { field: 'maxConcurrency', byDefault: undefined, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  TENANT_CONCURRENCY: { field: 'tenantConcurrency', byDefault: undefined, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  TENANT_CONCURRENCY_OF: numbersVariable('tenantConcurrencyOf'),
  OPERATION_CONCURRENCY_OF: numbersVariable('operationConcurrencyOf'),
  TENANT_RATE_PER_MINUTE: { field: 'tenantRatePerMinute', byDefault: undefined, given: '5', becomes: 5, wrong: ['0', '1000001'] },
  TENANT_RATE_OF: numbersVariable('tenantRateOf'),
  READ_CPU_MS: { field: 'readCpuMs', byDefault: 60_000, given: '100', becomes: 100, wrong: ['0', '86400001'] },
  RECYCLE_AFTER_MS: { field: 'recycleAfterMs', byDefault: 60_000, given: '100', becomes: 100, wrong: ['0', '86400001'] },
  CREATE_LIMIT_PER_MINUTE: { field: 'createLimitPerMinute', byDefault: 600, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  MAX_UPLOAD_BYTES: { field: 'maxUploadBytes', byDefault: 1_073_741_824, given: '5', becomes: 5, wrong: ['0', 'big'] },
  BATCH_DEFAULT_SIZE: { field: 'batchDefaultSize', byDefault: 50, given: '5', becomes: 5, wrong: ['0', '10001'] },
  BATCH_MAX_RETRIES: { field: 'batchMaxRetries', byDefault: 3, given: '0', becomes: 0, wrong: ['-1', '101', '1.5'] },
  BATCH_TIMEOUT_MS: { field: 'batchTimeoutMs', byDefault: 30_000, given: '5', becomes: 5, wrong: ['0', '86400001'] },
  BATCH_RETENTION_DAYS: { field: 'batchRetentionDays', byDefault: 30, given: '0.5', becomes: 0.5, wrong: ['-1', '36501'] },
  ANNOTATION_TIER: { field: 'annotationTier', byDefault: 'paid', given: 'free', becomes: 'free', wrong: ['gold'] },
  ANNOTATION_FREE_PER_MINUTE: tierVariable('free', 'perMinute', '1000001'),
  ANNOTATION_FREE_CONCURRENCY: tierVariable('free', 'concurrency', '1001'),
  ANNOTATION_PAID_PER_MINUTE: tierVariable('paid', 'perMinute', '1000001'),
  ANNOTATION_PAID_CONCURRENCY: tierVariable('paid', 'concurrency', '1001'),
  ENABLE_BATCH: { field: 'uploadsEnabled', byDefault: true, given: 'false', becomes: false, wrong: ['maybe'] },
  UPLOADS_PER_HOUR: { field: 'uploadsPerHour', byDefault: 3, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  UPLOADS_PER_HOUR_PER_KEY: { field: 'uploadsPerHourPerKey', byDefault: 120, given: '5', becomes: 5, wrong: ['0', '1.5'] },
  TENANT_FILES_BYTES: { field: 'tenantFilesBytes', byDefault: 0, given: '5000', becomes: 5_000, wrong: ['-1', 'many'] },
  TENANT_RECORDS_BYTES: { field: 'tenantRecordsBytes', byDefault: 0, given: '5000', becomes: 5_000, wrong: ['-1', 'many'] },
  UPLOAD_MAX_FILES: { field: 'uploadMaxFiles', byDefault: 50, given: '5', becomes: 5, wrong: ['0', '1001'] },
  UPLOAD_MAX_FILE_BYTES: { field: 'uploadMaxFileBytes', byDefault: 52_428_800, given: '5', becomes: 5, wrong: ['0', 'big'] },
  UPLOAD_CONCURRENT_FILES: { field: 'uploadConcurrentFiles', byDefault: 3, given: '5', becomes: 5, wrong: ['0', '1001'] },
  UPLOAD_MAX_RETRIES: { field: 'uploadMaxRetries', byDefault: 3, given: '0', becomes: 0, wrong: ['-1', '101'] },
  UPLOAD_TIMEOUT_MS: { field: 'uploadTimeoutMs', byDefault: 1_800_000, given: '5', becomes: 5, wrong: ['0', '86400001'] },
  DOCUMENT_TIMEOUT_MS: { field: 'documentTimeoutMs', byDefault: 30_000, given: '5', becomes: 5, wrong: ['0', '86400001'] },
  DOCUMENT_RETENTION_HOURS: { field: 'documentRetentionHours', byDefault: 24, given: '0.5', becomes: 0.5, wrong: ['-1', '876001'] },
  AI_BASE_URL: { field: 'aiBaseUrl', byDefault: undefined, given: 'http://h/v1', becomes: 'http://h/v1', wrong: ['ftp://h', 'h'] },
  AI_API_KEY: { field: 'aiApiKey', byDefault: undefined, given: 'sk-1', becomes: 'sk-1', wrong: [] },
  AI_MODEL: { field: 'aiModel', byDefault: 'gpt-4o-mini', given: 'm', becomes: 'm', wrong: [] },
  AI_BREAKER_FAILURES: { field: 'aiBreakerFailures', byDefault: 5, given: '2', becomes: 2, wrong: ['0', '1001'] },
  AI_BREAKER_OPEN_MS: { field: 'aiBreakerOpenMs', byDefault: 30_000, given: '5', becomes: 5, wrong: ['0', '3600001'] },
};

describe.each(Object.keys(VARIABLES))('%s', (name) => {
  const { field, byDefault, given, becomes, wrong } = VARIABLES[name]!;

  test('has its default, and takes a value', () => {
    expect(Config.from({})[field]).toEqual(byDefault);
    expect(Config.from({ [name]: given })[field]).toEqual(becomes);
  });

  test('is named when its value is wrong', () => {
    for (const value of wrong) expect(() => Config.from({ [name]: value })).toThrow(new RegExp(`Wrong configuration:\\n {2}${name}: .+`));
  });
});

test('a variable that is left blank is as if it were not set', () => {
  for (const [name, { field, byDefault }] of Object.entries(VARIABLES)) expect(Config.from({ [name]: '' })[field]).toEqual(byDefault);
});

test('production does not start with what lets callers harm it', () => {
  expect(() => Config.from({ NODE_ENV: 'production', NOOP_FAULTS: 'true' })).toThrow(/ {2}NOOP_FAULTS: is for tests/);
  expect(Config.from({ NODE_ENV: 'production', NOOP_FAULTS: 'false' }).noopFaults).toBe(false);
});

test('all wrong variables are named together', () => {
  expect(() => Config.from({ PORT: 'x', ROLE: 'y', LEASE_MS: '1' })).toThrow(
    / {2}ROLE: [^]* {2}PORT: [^]* {2}LEASE_MS: [^]*\.env\.example/,
  );
});

test('a key that is there twice is told by its tenants, and not shown', () => {
  const start = (API_KEYS: string) => () => Config.from({ API_KEYS });
  const key = '0123456789abcdef';
  expect(start(`acme:${key},globex:${key}`)).toThrow(/API_KEYS: has the same key for acme and globex; give each tenant keys of its own/);
  expect(start(`acme:${key},acme:${key}`)).toThrow(/API_KEYS: has a key of acme twice/);
  expect(start(`acme:${key},globex:${key}`)).not.toThrow(key);
  expect(start(`acme:${key},acme:${key}0,globex:${key}1`)()).toMatchObject({ apiKeys: { length: 3 } });
});

test('the settings are frozen, and know what they mean', () => {
  const config = Config.from({ ROLE: 'api', JWT_SECRET: 'x'.repeat(32) });
  expect(Object.isFrozen(config)).toBe(true);
  expect(config).toMatchObject({ runsWorker: false, servesHttp: true, hasAccessControl: true });
  expect(Config.from({ ROLE: 'worker' })).toMatchObject({ runsWorker: true, servesHttp: false, hasAccessControl: false });
});

test('.env.example lists exactly these variables', () => {
  const listed = [...readFileSync(join(__dirname, '../../.env.example'), 'utf8').matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(
    ([, name]) => name,
  );
  expect([...new Set(listed)].sort()).toEqual(Object.keys(VARIABLES).sort());
});

test('every field is set by a variable of this list', () => {
  expect(Object.keys(Config.from(Object.fromEntries(Object.entries(VARIABLES).map(([name, { given }]) => [name, given])))).sort()).toEqual(
    [...new Set(Object.values(VARIABLES).map(({ field }) => field))].sort(),
  );
});
