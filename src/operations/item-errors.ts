/** Fails the item for good: trying again cannot help. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';
  /** What the item's failure is recorded as. */
  readonly kind: 'permanent' | 'resource-limit' | 'invalid-result' = 'permanent';
}

/** The item took more memory or processor time than it may. Final: the same item would take as much again. */
export class ResourceLimitError extends PermanentError {
  override readonly name = 'ResourceLimitError';
  override readonly kind = 'resource-limit';
}

/** What the handler returned cannot be recorded. */
export class InvalidResultError extends PermanentError {
  override readonly name = 'InvalidResultError';
  override readonly kind = 'invalid-result';
}

/** The item cannot be worked now (a provider said 429, say). It is tried again after the delay and no attempt is counted. */
export class RetryLaterError extends Error {
  override readonly name = 'RetryLaterError';

  constructor(
    message: string,
    /** milliseconds */
    readonly delayMs: number,
  ) {
    super(message);
  }
}

/** The item waits for a provider that is left alone: it is tried again when the provider is back, however long that takes. */
export class ProviderWaitError extends RetryLaterError {
  constructor(
    message: string,
    delayMs: number,
    readonly provider: string,
  ) {
    super(message, delayMs);
  }
}

/** Why an item's signal is aborted when its batch was stopped. */
export class BatchStoppedError extends Error {
  override readonly name = 'BatchStoppedError';

  constructor() {
    super('the batch was stopped');
  }
}
