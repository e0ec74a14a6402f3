import type { Config } from '../config.js';

/** What holds for a circuit that has no settings of its own. */
export interface CircuitDefaults {
  failures: number;
  openMs: number;
}

export function circuitDefaults({ aiBreakerFailures, aiBreakerOpenMs }: Config): CircuitDefaults {
  return { failures: aiBreakerFailures, openMs: aiBreakerOpenMs };
}
