import { Injectable } from '@nestjs/common';
import type { Caller, Dialect } from '../common/procedure.js';
import { AppError, errorOf, fieldError, invalidField, unprocessable } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import { toJson } from '../common/json-value.js';
import { unsafeKey, unstorableTexts } from '../common/safe-json.js';
import { handlerLogger } from '../operations/handler-logger.js';
import { ItemHandlerRegistry, type RegisteredHandler } from '../operations/item-handler.registry.js';
import type { SelectionContext } from '../operations/item-handler.js';
import type { BatchOptionsInput } from './batch.options.js';
import { assertLimitsCanBeKept } from './resource-limits.options.js';
import { itemsFromArray, itemsFromGenerator, type ItemSource, itemsTakenBy } from './item-source.js';
import type { Warnings } from './warnings.js';

/** Operations that the documents name; without an item handler their results come from outside. */
const DOCUMENTED_OPERATIONS = ['annotate', 'import', 'export', 'transform', 'report', 'validate', 'cleanup'];
const MAX_JSON_CHARACTERS = 65_536;

/** What a caller asks for, see the fields of the create command. */
export interface BatchRequest {
  operation: string;
  filters?: Record<string, unknown>;
  parameters?: Record<string, unknown>;
  items?: unknown[];
  source?: ItemSource;
  totalItems?: number;
  options?: BatchOptionsInput;
  external?: boolean;
  start?: boolean;
  open?: boolean;
  caller: Caller;
}

/** How a new batch gets its items and who works them. */
export interface BatchPlan {
  source: ItemSource;
  external: boolean;
  starts: boolean;
  sealed: boolean;
  /** The handler's own default, when the caller gives none. */
  concurrency: number | undefined;
  /** The operation is worked in slots, one item at a time. */
  oneByOne: boolean;
}

/** Checks a new batch against its operation before anything is written. */
@Injectable()
export class BatchPlanner {
  constructor(private readonly registry: ItemHandlerRegistry) {}

  /** @throws AppError INVALID_INPUT or UNPROCESSABLE that names the field */
  plan(input: BatchRequest, batchId: string, limits: { maxItems: number; warnings: Warnings }): BatchPlan {
    const { maxItems, warnings } = limits;
    assertFreeJson('filters', input.filters);
    assertFreeJson('parameters', input.parameters);
    if (input.items && input.items.length > maxItems) {
      throw invalidField('items', `at most ${maxItems} may come in one request; add the rest as a stream`, 'too_big');
    }
    if (input.source && !(Symbol.asyncIterator in Object(input.source))) {
      throw invalidField(
        'source',
        'is a stream, for callers in this process; send the list, or open: true and add to it',
        'unrecognized_keys',
      );
    }
    if (typeof input.totalItems === 'number' && input.items && input.totalItems !== input.items.length) {
      throw invalidField('totalItems', `is ${input.totalItems}, but ${input.items.length} items are given`);
    }
    const registered = this.registry.get(input.operation);
    const known = registered ?? (DOCUMENTED_OPERATIONS.includes(input.operation) || input.external === true);
    if (!known) throw this.unknownOperation(input.operation);
    if (!registered && input.external === false) {
      throw unprocessable('external', `no item handler does ${input.operation} here: its results must come from outside`);
    }
    return registered && input.external !== true
      ? this.planHandled(input, registered, { batchId, warnings })
      : planExternal(input, registered);
  }

  private planHandled(
    input: BatchRequest,
    registered: RegisteredHandler,
    { batchId, warnings }: { batchId: string; warnings: Warnings },
  ): BatchPlan {
    assertLimitsCanBeKept(input.options?.resourceLimits, whyNotLimited(registered));
    const parameters = checkParameters(registered, input.parameters ?? {});
    const open = input.open ?? false;
    const starts = input.start ?? !open;
    const context: SelectionContext = {
      batchId,
      tenant: input.caller.tenant,
      operation: input.operation,
      parameters,
      logger: handlerLogger(input.operation, batchId),
      warn: (sentence) => warnings.add(sentence),
    };
    const source = itemsTakenBy(registered.handler, chooseSource(input, registered, context));
    const oneByOne = registered.handler.slotsPerWorker !== undefined;
    return { source, external: false, starts, sealed: !open, concurrency: registered.concurrency, oneByOne };
  }

  private unknownOperation(operation: string): AppError {
    const known = [...new Set([...this.registry.operations, ...DOCUMENTED_OPERATIONS])].sort();
    const remedy = 'with external: true any other may be worked outside of the service';
    return invalidField('operation', `"${operation}" is unknown; known are ${known.join(', ')}; ${remedy}`, 'invalid_enum_value');
  }
}

function planExternal(input: BatchRequest, registered: RegisteredHandler | undefined): BatchPlan {
  if (input.open !== undefined)
    throw unprocessable('open', 'a batch with external results has no items to add; give totalItems or leave it out');
  if (input.start === true) throw unprocessable('start', 'a batch with external results is set going by its first result');
  assertWorkedOutside(input.options ?? {}, input.caller.dialect);
  assertLimitsCanBeKept(input.options?.resourceLimits, WORKED_OUTSIDE);
  assertDistinctKeys(expectedKeys(input.items ?? []));
  assertExternalParameters(input, registered);
  // Nothing to expect is as good as nothing told: the caller says which result is the last one.
  const counted = (input.totalItems ?? input.items?.length ?? 0) > 0;
  return { source: itemsFromArray(input.items ?? []), external: true, starts: false, sealed: counted, concurrency: 1, oneByOne: false };
}

const WORKED_OUTSIDE = 'its results come from outside, and whoever works it uses what they use; leave it out';

/** Why the memory and processor time of a batch cannot be limited; undefined when they can. */
export function whyNotLimited(registered: RegisteredHandler | undefined): string | undefined {
  if (!registered) return WORKED_OUTSIDE;
  if (registered.thread) return undefined;
  const remedy = 'leave it out, or give the operation a thread (docs/threads.md)';
  return `the operation ${registered.operation} works in the main thread, which all batches of a process share; ${remedy}`;
}

/**
 * For a batch whose results come from outside. Clients of the documented interfaces send their usual options with every batch, and are
 * told in another way what is not kept.
 */
export function assertWorkedOutside(options: BatchOptionsInput, dialect: Dialect = 'native'): void {
  const limit = (['rateLimitPerMinute', 'rateLimitPool', 'canary', 'rampUp'] as const).find(
    (name) => (options[name] ?? undefined) !== undefined,
  );
  if (limit) throw unprocessable(`options.${limit}`, 'whoever records the results starts the items; leave it out');
  if (dialect !== 'native') return;
  const { rollbackOnFailure, backupStrategy, conflictResolution } = options;
  const change = [
    rollbackOnFailure && 'rollbackOnFailure',
    backupStrategy && backupStrategy !== 'none' && 'backupStrategy',
    conflictResolution && conflictResolution !== 'auto' && 'conflictResolution',
  ].find(Boolean);
  if (change) throw unprocessable(`options.${change}`, 'whoever records the results makes the changes, and takes them back; leave it out');
}

/** The keys of listed items, as results from outside name them: an item without one is called by its number. */
export function expectedKeys(items: unknown[]): string[] {
  return items.map((item, index) => {
    const key = typeof item === 'object' && item !== null ? (item as { key?: string }).key : String(item);
    return key ?? String(index + 1);
  });
}

/** One result is recorded for a key: of two items with the same one, the second would be waited for in vain. */
function assertDistinctKeys(keys: string[]): void {
  const seen = new Set<string>();
  keys.forEach((key, index) => {
    if (seen.has(key)) throw invalidField(`items.${index}.key`, `${key} is the key of an earlier item too`);
    seen.add(key);
  });
}

/** Whoever records the results does the work and may need no parameters; but what nobody could know the meaning of is refused. */
function assertExternalParameters({ operation, parameters = {} }: BatchRequest, registered: RegisteredHandler | undefined): void {
  const unknown = registered
    ? unknownParameters(registered, parameters)
    : Object.keys(parameters)
        .filter((key) => key !== 'model')
        .map((key) => `parameters.${key}`);
  if (unknown.length > 0) throw invalidField(unknown[0]!, `is not a known parameter of ${operation}`, 'unrecognized_keys');
}

function unknownParameters(registered: RegisteredHandler, parameters: Record<string, unknown>): string[] {
  try {
    checkParameters(registered, parameters);
    return [];
  } catch (error) {
    const errors = error instanceof AppError ? (error.details.errors ?? []) : [];
    return errors.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path);
  }
}

function chooseSource(input: BatchRequest, registered: RegisteredHandler, context: SelectionContext): ItemSource {
  const { operation, handler, filters: filterClass, selection = [] } = registered;
  if (input.source) return input.source;
  const selects = selection.find((name) => (input.parameters?.[name] ?? undefined) !== undefined);
  if (input.items) {
    if (input.filters && Object.keys(input.filters).length > 0) throw unprocessable('filters', 'do not go with items; give either');
    if (selects) throw unprocessable(`parameters.${selects}`, 'says which items the batch gets, and they are given; leave one of them out');
    return itemsFromArray(input.items);
  }
  if (input.filters === undefined && !selects && (input.open || input.start === false)) return itemsFromArray([]);
  if (!handler.selectItems) {
    throw invalidField('items', `the operation ${operation} does not choose them by a filter: give a list, or open: true and add to it`);
  }
  const filters: unknown =
    filterClass === 'any' || filterClass === undefined ? (input.filters ?? {}) : checkInput(filterClass, input.filters ?? {}, 'filters');
  return itemsFromGenerator(handler.selectItems(filters, context));
}

/** @returns an instance of the handler's class */
export function checkParameters(registered: RegisteredHandler, parameters: Record<string, unknown>): unknown {
  if (registered.parameters) return checkInput(registered.parameters, parameters, 'parameters');
  const unknown = Object.keys(parameters);
  if (unknown.length === 0) return {};
  const problem = `is not a known field; the operation ${registered.operation} takes none`;
  throw errorOf(
    'INVALID_INPUT',
    unknown.map((key) => fieldError(`parameters.${key}`, problem, 'unrecognized_keys')),
  );
}

function assertFreeJson(field: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidField(field, 'must be a JSON object', 'invalid_type');
  const text = toJson(value, field)!;
  const unsafe = unsafeKey(value);
  if (unsafe) throw invalidField(`${field}.${unsafe}`, 'is a forbidden key', 'unrecognized_keys');
  const [unstorable] = unstorableTexts(value, field);
  if (unstorable) throw invalidField(unstorable.path, unstorable.message);
  if (text.length > MAX_JSON_CHARACTERS) throw invalidField(field, `may have at most ${MAX_JSON_CHARACTERS} characters`, 'too_big');
}
