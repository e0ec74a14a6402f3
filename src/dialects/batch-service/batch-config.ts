import { isDeepStrictEqual } from 'node:util';
import { type BatchOptionsInput, givenOptions, type Priority } from '../../batches/batch.options.js';
import type { BatchView } from '../../batches/batch.view.js';
import { AppError } from '../../common/app-error.js';
import type { BatchConfigInput } from './batch-service.request.js';
import type { BatchConfig, BatchPriority } from './batch-service.types.js';

const MAX_CONCURRENCY = 1_000;

const PRIORITY: Record<BatchPriority, Priority> = { low: 'low', medium: 'normal', high: 'high', critical: 'critical' };

export function fromBatchPriority(priority: BatchPriority): Priority {
  return PRIORITY[priority];
}

export function toBatchPriority(priority: Priority): BatchPriority {
  return priority === 'normal' ? 'medium' : priority;
}

/** What a config may ask for and this service cannot keep: the field, whether it was asked, and why not. */
const REFUSALS: { path: string; asked: (config: BatchConfigInput) => boolean; why: string }[] = [
  {
    path: 'config.resourceLimits.maxMemory',
    asked: ({ resourceLimits }) => typeof resourceLimits?.maxMemory === 'number',
    why: 'items of several batches share a process, so the memory of one is not limited yet; leave it out',
  },
  {
    path: 'config.resourceLimits.maxCpu',
    asked: ({ resourceLimits }) => typeof resourceLimits?.maxCpu === 'number',
    why: 'items of several batches share a process, so the CPU of one is not limited yet; leave it out',
  },
];

/** @throws AppError UNPROCESSABLE that names every field which cannot be kept, and why */
export function assertConfigCanBeKept(config: BatchConfigInput): void {
  refuse(REFUSALS.filter(({ asked }) => asked(config)));
}

/** The same for the config of a batch that is there already; a reply's config, with other settings in it, can be sent back whole. */
export function assertConfigCanBeChanged(config: BatchConfigInput, { parameters }: Pick<BatchView, 'parameters'>): void {
  assertConfigCanBeKept(config);
  if (!config.parameters || isDeepStrictEqual(config.parameters, parameters)) return;
  refuse([{ path: 'config.parameters', why: 'cannot be changed; create another batch with them' }]);
}

function refuse(refused: { path: string; why: string }[]): void {
  const errors = refused.map(({ path, why }) => ({ path, message: `${path}: ${why}`, code: 'custom' as const }));
  if (errors.length > 0) throw new AppError('UNPROCESSABLE', errors.map(({ message }) => message).join('; '), { details: { errors } });
}

/** The engine's options that a config and a priority name; the others are left out. Of null, only what it takes away is kept. */
export function toOptions(config: BatchConfigInput = {}, priority?: BatchPriority): BatchOptionsInput {
  const { maxConcurrentJobs, retryAttempts, timeoutPerTemplate, notificationSettings: notify, resourceLimits } = config;
  const seconds = resourceLimits?.timeout;
  const options: BatchOptionsInput = {
    concurrency: maxConcurrentJobs && Math.min(maxConcurrentJobs, MAX_CONCURRENCY),
    retryAttempts,
    timeout: timeoutPerTemplate,
    batchTimeout: seconds && Math.round(seconds * 1000),
    priority: priority && fromBatchPriority(priority),
    notifyOnStart: notify?.onStart,
    notifyOnComplete: notify?.onComplete,
    notifyOnError: notify?.onError,
    notifyProgressInterval: notify?.progressInterval,
    conflictResolution: config.conflictResolution,
    backupStrategy: config.backupStrategy,
    rollbackOnFailure: config.rollbackOnFailure,
  };
  return givenOptions(options);
}

/** A batch's settings as they are in effect. */
export function toBatchConfig({ options, parameters }: Pick<BatchView, 'options' | 'parameters'>): BatchConfig {
  return {
    maxConcurrentJobs: options.concurrency,
    retryAttempts: options.retryAttempts,
    timeoutPerTemplate: options.timeout,
    rollbackOnFailure: options.rollbackOnFailure,
    backupStrategy: options.backupStrategy,
    conflictResolution: options.conflictResolution,
    notificationSettings: {
      onStart: options.notifyOnStart,
      onComplete: options.notifyOnComplete,
      onError: options.notifyOnError,
      progressInterval: options.notifyProgressInterval,
    },
    resourceLimits: { timeout: options.batchTimeout === null ? null : options.batchTimeout / 1000 },
    parameters,
  };
}
