import { randomBytes, randomUUID } from 'node:crypto';
import type { Dialect } from '../common/procedure.js';
import type { Config } from '../config.js';
import { type BatchOptions, PRIORITIES } from './batch.options.js';

/** What a dialect decides for the batches it creates. */
export interface DialectProfile {
  newId(): string;
  defaults(config: Config): Partial<BatchOptions>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** `<word>_<ms>_<12 random letters and digits>`; the documents show six, which others could guess. */
function timedId(word: string): string {
  const random = [...randomBytes(12)].map((byte) => (byte % 36).toString(36)).join('');
  return `${word}_${Date.now()}_${random}`;
}

const PROFILES: Record<Dialect, DialectProfile> = {
  native: { newId: randomUUID, defaults: () => ({}) },
  erp: {
    newId: () => timedId('batch'),
    defaults: (config) => ({
      batchSize: config.batchDefaultSize,
      retryAttempts: config.batchMaxRetries,
      timeout: config.batchTimeoutMs,
    }),
  },
  annotations: { newId: randomUUID, defaults: () => ({ batchSize: 50, concurrency: 5, retryAttempts: 2 }) },
  uploads: {
    newId: randomUUID,
    defaults: (config) => ({
      batchSize: 1,
      concurrency: config.uploadConcurrentFiles,
      retryAttempts: config.uploadMaxRetries,
      retryBackoff: 'fixed',
      timeout: config.uploadTimeoutMs,
      retryTimeouts: false,
    }),
  },
  'batch-service': { newId: randomUUID, defaults: () => ({ batchSize: 100 }) },
  documents: {
    newId: () => timedId('job'),
    defaults: (config) => ({
      batchSize: 1,
      concurrency: 5,
      retryAttempts: 2,
      retryDelay: 2_000,
      retryMaxDelay: DAY_MS,
      retryJitter: false,
      timeout: config.documentTimeoutMs,
      batchTimeout: 300_000,
    }),
  },
};

const LANE_WIDTH = 50;

const ENGINE_DEFAULTS: Omit<BatchOptions, 'concurrency'> = {
  laneWidth: LANE_WIDTH,
  batchSize: 500,
  retryAttempts: 3,
  retryBackoff: 'exponential',
  retryDelay: 1_000,
  retryMaxDelay: 60_000,
  retryJitter: true,
  timeout: 30_000,
  batchTimeout: null,
  retryTimeouts: true,
  priority: 'normal',
  rateLimitPerMinute: null,
  rateLimitPool: null,
  failureThreshold: null,
  canary: null,
  rampUp: null,
  notifyOnStart: false,
  notifyOnComplete: false,
  notifyOnError: false,
  notifyProgressInterval: null,
  conflictResolution: 'auto',
  backupStrategy: 'none',
  rollbackOnFailure: false,
  resourceLimits: null,
};

export const DEFAULT_CONCURRENCY = 10;

export function newBatchId(dialect: Dialect): string {
  return PROFILES[dialect].newId();
}

/** What the caller gave, over the dialect's defaults, over the engine's. Chunks of an operation that is worked in slots hold one item. */
export function completeOptions(
  given: Partial<BatchOptions>,
  dialect: Dialect,
  context: { config: Config; concurrency: number | undefined; oneByOne?: boolean },
): BatchOptions {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null));
  const concurrency = context.concurrency ?? DEFAULT_CONCURRENCY;
  const options = { ...ENGINE_DEFAULTS, concurrency, ...PROFILES[dialect].defaults(context.config), ...set };
  return context.oneByOne ? { ...options, laneWidth: 1, batchSize: 1 } : options;
}

/** 1 for critical to 4 for low: the order in which bells are heard. */
export function rankOf(options: BatchOptions): number {
  return PRIORITIES.indexOf(options.priority) + 1;
}

/** How long a dialect's finished batches are kept, in milliseconds. */
export function retentionMs(dialect: Dialect, config: Config): number {
  return dialect === 'documents' ? config.documentRetentionHours * HOUR_MS : config.batchRetentionDays * DAY_MS;
}

/** The widths of a batch's lanes; they add up to its concurrency. Batches of an older release have no lane width among their options. */
export function laneWidths({ concurrency, laneWidth = LANE_WIDTH }: Pick<BatchOptions, 'concurrency' | 'laneWidth'>): number[] {
  const lanes = Math.ceil(concurrency / laneWidth);
  return Array.from({ length: lanes }, (_, no) => Math.floor(concurrency / lanes) + (no < concurrency % lanes ? 1 : 0));
}
