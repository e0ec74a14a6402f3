import type { BatchOptionsInput } from '../../batches/batch.options.js';
import { requestPath } from '../../batches/request-paths.js';
import { AppError, invalidField, renameFields, unprocessable } from '../../common/app-error.js';
import type { CreateErpBatchRequest } from './erp.request.js';

/** The batch's own settings; every other key of `options` is a parameter of the operation. */
const SETTINGS: Record<keyof BatchOptionsInput, true> = {
  batchSize: true,
  concurrency: true,
  retryAttempts: true,
  retryBackoff: true,
  retryDelay: true,
  retryMaxDelay: true,
  retryJitter: true,
  timeout: true,
  batchTimeout: true,
  retryTimeouts: true,
  priority: true,
  rateLimitPerMinute: true,
  rateLimitPool: true,
  failureThreshold: true,
  canary: true,
  rampUp: true,
  notifyOnStart: true,
  notifyOnComplete: true,
  notifyOnError: true,
  notifyProgressInterval: true,
  conflictResolution: true,
  backupStrategy: true,
  rollbackOnFailure: true,
  resourceLimits: true,
};

/** What other batch systems and this one's plans know by these names. Asking for it must not be taken for granted. */
const NOT_BUILT_YET = ['notificationSettings', 'schedule', 'webhook', 'template', 'dependsOn'];

function assertBuilt(options: Record<string, unknown>): void {
  const key = NOT_BUILT_YET.find((name) => name in options);
  if (key === undefined) return;
  throw unprocessable(`options.${key}`, 'is not built yet; leave it out');
}

/** The request as the input of CreateBatch. */
export function toCreateInput({ operation, name, description, filters, options, total_items, items }: CreateErpBatchRequest) {
  assertBuilt(options ?? {});
  const { externalResults, ...rest } = options ?? {};
  if (externalResults !== undefined && typeof externalResults !== 'boolean') {
    throw invalidField('options.externalResults', 'must be true or false', 'invalid_type');
  }
  const [settings, parameters] = [pick(rest, isSetting), pick(rest, (key) => !isSetting(key))];
  return {
    operation,
    name: name ?? undefined,
    description: description ?? undefined,
    filters: filters ?? undefined,
    parameters: Object.keys(parameters).length > 0 ? parameters : undefined,
    items: items ?? undefined,
    totalItems: total_items ?? undefined,
    options: settings as BatchOptionsInput,
    external: externalResults,
  };
}

function isSetting(key: string): boolean {
  return Object.hasOwn(SETTINGS, key);
}

function pick(options: Record<string, unknown>, wanted: (key: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => wanted(key)));
}

/** Runs a creation and tells what is wrong with its input in the request's own field names. */
export async function inErpWords<T>(creation: () => Promise<T>): Promise<T> {
  try {
    return await creation();
  } catch (error) {
    throw error instanceof AppError ? renameFields(error, (path) => requestPath('erp', path)) : error;
  }
}
