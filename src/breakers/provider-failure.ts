/** A provider did not do its work: the item is tried again, and the circuit breaker of the provider counts it. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
}
