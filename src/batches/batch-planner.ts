import { Injectable } from '@nestjs/common';
import type { Caller, Dialect } from '../common/procedure.js';
import { type AppError, errorOf, fieldError, invalidField, unprocessable } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import { toJson } from '../common/json-value.js';
import { unsafeKey, unstorableTexts } from '../common/safe-json.js';
import { handlerLogger } from '../operations/handler-logger.js';
import { ItemHandlerRegistry, type RegisteredHandler } from '../operations/item-handler.registry.js';
import type { SelectionContext } from '../operations/item-handler.js';
import { checkParameters, MODEL_SETTINGS, splitParameters, unknownParameters } from '../operations/parameters.js';
import type { BatchOptionsInput } from './batch.options.js';
import { itemsFromArray, itemsFromGenerator, type ItemSource, itemsTakenBy } from './item-source.js';
import { requestPath } from './request-paths.js';
import type { Warnings } from './warnings.js';

/** Operations that the documents name. Whoever creates a batch of one takes for granted that it is done. */
export const DOCUMENTED_OPERATIONS = ['annotate', 'import', 'export', 'transform', 'report', 'validate', 'cleanup'];
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
  /** Who works them; undefined: results come from outside. */
  handler: RegisteredHandler | undefined;
  /** Those that are read. */
  parameters: Record<string, unknown>;
  starts: boolean;
  sealed: boolean;
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
    if (!registered) this.assertWorkedSomewhere(input);
    return registered && input.external !== true
      ? this.planHandled(input, registered, { batchId, warnings })
      : planExternal(input, registered, warnings);
  }

  private planHandled(
    input: BatchRequest,
    registered: RegisteredHandler,
    { batchId, warnings }: { batchId: string; warnings: Warnings },
  ): BatchPlan {
    const { taken, idle } = splitParameters(registered, input.parameters ?? {});
    const dialect = input.caller.dialect ?? 'native';
    for (const name of idle) {
      const why = `the operation ${input.operation} asks no model, whether an AI provider is configured or not`;
      warnings.add(`${requestPath(dialect, `parameters.${name}`)} has no effect: ${why}`);
    }
    const open = input.open ?? false;
    const starts = input.start ?? !open;
    const context: SelectionContext = {
      batchId,
      tenant: input.caller.tenant,
      operation: input.operation,
      parameters: checkParameters(registered, taken),
      logger: handlerLogger(input.operation, batchId),
      warn: (sentence) => warnings.add(sentence),
    };
    const source = itemsTakenBy(registered.handler, chooseSource(input, registered, context));
    return { source, handler: registered, parameters: taken, starts, sealed: !open };
  }

  /** @throws AppError for an operation that has no item handler, unless its results are said to come from outside */
  private assertWorkedSomewhere({ operation, external }: BatchRequest): void {
    if (external === false) {
      throw unprocessable('external', `no item handler does ${operation} here: its results must come from outside`);
    }
    if (external) return;
    if (!DOCUMENTED_OPERATIONS.includes(operation)) throw this.unknownOperation(operation);
    const problem = `no item handler does ${operation} here yet; register one, or say external: true and record its results yourself`;
    throw errorOf('UNPROCESSABLE', [fieldError('operation', problem)], [['external']]);
  }

  private unknownOperation(operation: string): AppError {
    const known = [...new Set([...this.registry.operations, ...DOCUMENTED_OPERATIONS])].sort();
    const remedy = 'with external: true any other may be worked outside of the service';
    return invalidField('operation', `"${operation}" is unknown; known are ${known.join(', ')}; ${remedy}`, 'invalid_enum_value');
  }
}

function planExternal(input: BatchRequest, registered: RegisteredHandler | undefined, warnings: Warnings): BatchPlan {
  const { operation, items, totalItems, filters, parameters = {} } = input;
  const dialect = input.caller.dialect ?? 'native';
  if (input.open !== undefined)
    throw unprocessable('open', 'a batch with external results has no items to add; give totalItems or leave it out');
  if (input.start === true) throw unprocessable('start', 'a batch with external results is set going by its first result');
  assertWorkedOutside(input.options ?? {}, dialect);
  assertDistinctKeys(expectedKeys(items ?? []));
  assertExternalParameters(input, registered);
  if (Object.keys(filters ?? {}).length > 0) {
    warnings.add('filters choose no items: results come from outside, and whoever records them may look at the filters');
  }
  // Nothing to expect is as good as nothing told: the caller says which result is the last one.
  const counted = (totalItems ?? items?.length ?? 0) > 0;
  if (!counted && !registered) {
    const missing = `neither items nor ${requestPath(dialect, 'totalItems')} are given`;
    warnings.add(
      `no item handler does ${operation} here, and ${missing}: nothing happens until results are recorded, one of them as the last`,
    );
  }
  return { source: itemsFromArray(items ?? []), handler: undefined, parameters, starts: false, sealed: counted };
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
  const paths = registered ? unknownParameters(registered, parameters) : Object.keys(parameters).map((key) => `parameters.${key}`);
  const [unknown] = paths.filter((path) => !MODEL_SETTINGS.includes(path.slice('parameters.'.length)));
  if (unknown) throw invalidField(unknown, `is not a known parameter of ${operation}`, 'unrecognized_keys');
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
