/** Why an item waits: begins with the provider, so that those who wait for it are found. */
export function waitingFor(provider: string, why: string): string {
  return `provider ${provider}: ${why}`;
}
