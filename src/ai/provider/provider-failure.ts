/** The provider did not do its work: the document is tried again, and the circuit breaker counts it. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
}
