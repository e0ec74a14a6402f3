import type { InputOf } from '../../common/procedure.js';
import type { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { AppError, type FieldError } from '../../common/app-error.js';
import { toOptions } from './batch-config.js';
import type { CreateBatchOfDataRequest } from './batch-service.request.js';

/** The type of a batch that names none. */
const NO_TYPE = 'custom';
const MAX_KEY_LENGTH = 512;

/**
 * The request as the input of CreateBatch: pending, with one item for each data item.
 * @param handled whether an item handler does the type; if not, the results come from outside
 */
export function toCreateInput(request: CreateBatchOfDataRequest, handled: (type: string) => boolean): InputOf<CreateBatch> {
  const { name, description, data, priority, config } = request;
  const operation = request.type ?? NO_TYPE;
  return {
    operation,
    name,
    description,
    items: toItems(data),
    parameters: config?.parameters,
    options: toOptions(config, priority),
    ...(handled(operation) ? { start: false } : { external: true }),
  };
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
    const errors = error.details.errors.map(inWords);
    const message = errors.map(sentence).slice(0, 3);
    throw new AppError(error.code, message.join('; '), { details: { ...error.details, errors }, cause: error });
  }
}

function sentence({ path, message }: FieldError): string {
  return message.startsWith(path) ? message : `${path}: ${message}`;
}

function inWords({ path, message, code }: FieldError): FieldError {
  const item = /^items\.(\d+)/.exec(path)?.[1];
  if (item !== undefined) return { path: `data.${item}`, message: `data.${item}: ${message.replace(/^line \d+: /, '')}`, code };
  return {
    path: withConfig(path.replace(/^parameters/, 'config.parameters')),
    message: withConfig(message.replace(/\bparameters(?=\.)/g, 'config.parameters')),
    code,
  };
}

function withConfig(text: string): string {
  return text.replace(/\boptions\.resourceLimits\.(maxMemory|maxCpu)(?:Mb|Percent)/g, 'config.resourceLimits.$1');
}
