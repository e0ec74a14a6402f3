/** Why an item waits: begins with the provider, so that those who wait for it are found. */
export function waitingFor(provider: string, why: string): string {
  return `provider ${provider}: ${why}`;
}

/** SQL: the provider that a row of `retry` waits for, or null. */
export const PROVIDER_WAITED_FOR = `CASE WHEN error_kind = 'rate-limited' THEN substring(error FROM '^provider ([[:alnum:]_.:-]+): ') END`;
