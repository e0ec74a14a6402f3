import { z } from 'zod';
import { count, wordList } from './config-values.js';

const milliseconds = count.min(100).max(86_400_000);

/** 0 for no bound. */
const bytes = z.coerce.number().int().min(0).max(1e15);

const HOST_NAME = /^(?:\*|[\w.-]+|\[[\da-f:.]+\])$/i;

/** Variables of the server's edge: who may reach it, and how much of it a client may hold. */
export const edgeVariables = {
  ALLOWED_HOSTS: wordList.refine((names) => names.every((name) => HOST_NAME.test(name)), {
    message: 'must be a list of host names without scheme and port, or *',
  }),
  METRICS_ACCESS: z.enum(['public', 'authenticated', 'off']).default('authenticated'),
  DOCS_ACCESS: z.enum(['public', 'authenticated', 'off']).default('public'),
  FAILED_CREDENTIALS_PER_MINUTE: count.max(1_000_000).default(300),
  CONNECTIONS_PER_ADDRESS: count.max(1_000_000).optional(),
  HEADERS_TIMEOUT_MS: milliseconds.default(20_000),
  BODY_IDLE_MS: milliseconds.default(30_000),
  BODY_MIN_BYTES_PER_SECOND: z.coerce.number().int().min(0).max(1_000_000_000).default(500),
  ANSWER_IDLE_MS: milliseconds.default(120_000),
  KEEP_ALIVE_MS: milliseconds.default(72_000),
  SOCKETS_PER_TENANT: count.max(1_000_000).default(1_000),
  SUBSCRIPTIONS_PER_TENANT: count.max(1_000_000).default(1_000),
  SOCKET_MESSAGES_PER_SECOND: count.max(1_000_000).default(50),
  TENANT_FILES_BYTES: bytes.default(0),
  TENANT_RECORDS_BYTES: bytes.default(0),
};

type Variables = z.output<z.ZodObject<typeof edgeVariables>>;
export type RouteAccess = Variables['METRICS_ACCESS'];

export abstract class EdgeSettings {
  /** Names by which the service may be asked for, beside its own and this machine's. `*`: any. */
  readonly allowedHosts: readonly string[];
  readonly metricsAccess: RouteAccess;
  readonly docsAccess: RouteAccess;
  /** Wrong credentials from one address, after which they are answered 429. */
  readonly failedCredentialsPerMinute: number;
  /** Unset: no limit. */
  readonly connectionsPerAddress?: number;
  /** Time for a request's line and headers to come. */
  readonly headersTimeoutMs: number;
  /** A body may be silent for so long, and its rate is looked at after each such time. */
  readonly bodyIdleMs: number;
  readonly bodyMinBytesPerSecond: number;
  /** How long a client may take nothing of its answer. */
  readonly answerIdleMs: number;
  /** How long a connection may be open between two requests. */
  readonly keepAliveMs: number;
  /** Open sockets of a tenant in this process, of Socket.IO and the dashboard stream together. */
  readonly socketsPerTenant: number;
  /** Open tRPC subscriptions of a tenant in this process. */
  readonly subscriptionsPerTenant: number;
  /** Messages that one socket may send. */
  readonly socketMessagesPerSecond: number;
  /** Of all stored files of a tenant; 0 for no bound. */
  readonly tenantFilesBytes: number;
  /** Of all records of a tenant, keys and fields as JSON text; 0 for no bound. */
  readonly tenantRecordsBytes: number;
}

export function edgeFields(v: Variables): EdgeSettings {
  return {
    allowedHosts: v.ALLOWED_HOSTS,
    metricsAccess: v.METRICS_ACCESS,
    docsAccess: v.DOCS_ACCESS,
    failedCredentialsPerMinute: v.FAILED_CREDENTIALS_PER_MINUTE,
    connectionsPerAddress: v.CONNECTIONS_PER_ADDRESS,
    headersTimeoutMs: v.HEADERS_TIMEOUT_MS,
    bodyIdleMs: v.BODY_IDLE_MS,
    bodyMinBytesPerSecond: v.BODY_MIN_BYTES_PER_SECOND,
    answerIdleMs: v.ANSWER_IDLE_MS,
    keepAliveMs: v.KEEP_ALIVE_MS,
    socketsPerTenant: v.SOCKETS_PER_TENANT,
    subscriptionsPerTenant: v.SUBSCRIPTIONS_PER_TENANT,
    socketMessagesPerSecond: v.SOCKET_MESSAGES_PER_SECOND,
    tenantFilesBytes: v.TENANT_FILES_BYTES,
    tenantRecordsBytes: v.TENANT_RECORDS_BYTES,
  };
}
