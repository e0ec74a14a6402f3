import { isDeepStrictEqual } from 'node:util';
import { type BatchOptionsInput, givenOptions, type Priority } from '../../batches/batch.options.js';
import type { BatchView } from '../../batches/batch.view.js';
import { unprocessable } from '../../common/app-error.js';
import type { BatchConfigInput, ResourceLimitsInput } from './batch-service.request.js';
import type { BatchConfig, BatchPriority } from './batch-service.types.js';

const PRIORITY: Record<BatchPriority, Priority> = { low: 'low', medium: 'normal', high: 'high', critical: 'critical' };

export function fromBatchPriority(priority: BatchPriority): Priority {
  return PRIORITY[priority];
}

export function toBatchPriority(priority: Priority): BatchPriority {
  return priority === 'normal' ? 'medium' : priority;
}

/**
 * The config of a batch that is there already: a reply's config, with other settings in it, can be sent back whole.
 * @throws AppError UNPROCESSABLE for other parameters
 */
export function assertConfigCanBeChanged(config: BatchConfigInput, { parameters }: Pick<BatchView, 'parameters'>): void {
  if (!config.parameters || isDeepStrictEqual(config.parameters, parameters)) return;
  throw unprocessable('config.parameters', 'cannot be changed; create another batch with them');
}

/** The engine's options that a config and a priority name; the others are left out. Of null, only what it takes away is kept. */
export function toOptions(config: BatchConfigInput = {}, priority?: BatchPriority): BatchOptionsInput {
  const { maxConcurrentJobs, retryAttempts, timeoutPerTemplate, notificationSettings: notify, resourceLimits } = config;
  const seconds = resourceLimits?.timeout;
  const options: BatchOptionsInput = {
    concurrency: maxConcurrentJobs,
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
    resourceLimits: toResourceLimits(resourceLimits),
  };
  return givenOptions(options);
}

function toResourceLimits({ maxMemory, maxCpu }: ResourceLimitsInput = {}): BatchOptionsInput['resourceLimits'] {
  return maxMemory === undefined && maxCpu === undefined ? undefined : { maxMemoryMb: maxMemory, maxCpuPercent: maxCpu };
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
    resourceLimits: {
      maxMemory: options.resourceLimits?.maxMemoryMb,
      maxCpu: options.resourceLimits?.maxCpuPercent,
      timeout: options.batchTimeout === null ? null : options.batchTimeout / 1000,
    },
    parameters,
  };
}
