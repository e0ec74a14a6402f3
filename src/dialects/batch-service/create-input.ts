import type { InputOf } from '../../common/procedure.js';
import { DOCUMENTED_OPERATIONS } from '../../batches/batch-planner.js';
import type { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { requestPath } from '../../batches/request-paths.js';
import { AppError, renameFields } from '../../common/app-error.js';
import { toOptions } from './batch-config.js';
import { takenAsAtMost } from '../taken-as-at-most.js';
import type { CreateBatchOfDataRequest } from './batch-service.request.js';

/** The type of a batch that names none. */
const NO_TYPE = 'custom';
const MAX_KEY_LENGTH = 512;
/** Jobs side by side; a batch that asks for more has so many. */
const MAX_CONCURRENCY = 1_000;

/**
 * The request as the input of CreateBatch: pending, with one item for each data item.
 * @param handled whether an item handler does the type; if not, the results come from outside
 */
export function toCreateInput(request: CreateBatchOfDataRequest, handled: (type: string) => boolean): InputOf<CreateBatch> {
  const { name, description, data, priority, config } = request;
  const operation = request.type ?? NO_TYPE;
  const jobs = config?.maxConcurrentJobs;
  return {
    operation,
    name,
    description,
    items: toItems(data),
    parameters: config?.parameters,
    options: toOptions(config && { ...config, maxConcurrentJobs: jobs && Math.min(jobs, MAX_CONCURRENCY) }, priority),
    warnings: takenAsAtMost('config.maxConcurrentJobs', jobs, MAX_CONCURRENCY),
    ...workOf(operation, handled),
  };
}

/** Types are the caller's own; but what the documents name is taken for done by the service. */
function workOf(operation: string, handled: (type: string) => boolean): { start?: false; external?: true } {
  if (handled(operation)) return { start: false };
  return DOCUMENTED_OPERATIONS.includes(operation) ? {} : { external: true };
}

/** Keys are the data's own ids, when every item has one and no two are the same; else the items' numbers from 1. */
function toItems(data: unknown[]): { key: string; payload: unknown }[] {
  const ids = data.map(idOf);
  const distinct = new Set(ids);
  const named = !distinct.has(undefined) && distinct.size === ids.length;
  return data.map((payload, index) => ({ key: named ? ids[index]! : String(index + 1), payload }));
}

function idOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null || !('id' in item)) return undefined;
  const { id } = item;
  if (typeof id === 'number') return String(id);
  const usable = typeof id === 'string' && id !== '' && id.length <= MAX_KEY_LENGTH && id.isWellFormed() && !id.includes('\0');
  return usable ? id : undefined;
}

/** Runs a procedure and tells what is wrong with its input in the request's own field names. */
export async function inRequestWords<T>(procedure: () => Promise<T>): Promise<T> {
  try {
    return await procedure();
  } catch (error) {
    if (!(error instanceof AppError) || !error.details.errors) throw error;
    const { code, details, cause } = renameFields(error, toRequestPath);
    // What an intake says of lines and of skipping them is about another way to send items.
    const messages = details.errors!.slice(0, MAX_TOLD).map(({ message }) => message);
    throw new AppError(code, messages.join('; '), { details, cause });
  }
}

/** Wrong fields that the error's own message names. */
const MAX_TOLD = 3;

function toRequestPath(path: string): string {
  const [, line] = /^line (\d+)$/.exec(path) ?? [];
  if (line !== undefined) return `data.${Number(line) - 1}`;
  const [first, index] = path.split('.');
  // Keys are made of the data here: what is wrong with one is wrong with its item.
  return requestPath('batch-service', first === 'items' && index !== undefined ? `items.${index}` : path);
}
