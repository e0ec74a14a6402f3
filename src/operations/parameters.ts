import { AppError, errorOf, fieldError } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import type { RegisteredHandler } from './item-handler.registry.js';

/** What clients that let a model do their work send with every batch, whatever its operation is. */
export const MODEL_SETTINGS = ['model', 'temperature', 'topP', 'maxTokens', 'prompt', 'prompts', 'systemPrompt'];

/**
 * @returns an instance of the handler's class
 * @throws AppError INVALID_INPUT with one entry for each wrong parameter
 */
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

/** Paths of those that the operation does not know. */
export function unknownParameters(registered: RegisteredHandler, parameters: Record<string, unknown>): string[] {
  try {
    checkParameters(registered, parameters);
    return [];
  } catch (error) {
    const errors = error instanceof AppError ? (error.details.errors ?? []) : [];
    return errors.filter(({ code }) => code === 'unrecognized_keys').map(({ path }) => path);
  }
}

/** A batch's parameters as its handler reads them. Batches of an older release may have settings of a model that it does not know. */
export function handlerParameters(registered: RegisteredHandler, stored: Record<string, unknown>): unknown {
  const { taken } = splitParameters(registered, stored);
  return registered.parameters ? checkInput(registered.parameters, taken, 'parameters') : taken;
}

/** What the operation takes, and the settings of a model that it has no use for. */
export function splitParameters(
  registered: RegisteredHandler,
  parameters: Record<string, unknown>,
): { taken: Record<string, unknown>; idle: string[] } {
  const given = MODEL_SETTINGS.filter((name) => name in parameters);
  if (given.length === 0) return { taken: parameters, idle: [] };
  const unknown = unknownParameters(registered, parameters);
  const idle = given.filter((name) => unknown.includes(`parameters.${name}`));
  return { taken: Object.fromEntries(Object.entries(parameters).filter(([name]) => !idle.includes(name))), idle };
}
