import { type Connection, run, type Statement } from '../../database/sql.js';
import type { CircuitDefaults } from '../circuit-defaults.js';
import { CIRCUIT, type CircuitKey, type CircuitRow } from './circuit-row.js';

const TAKE: Statement = {
  name: 'take-probe',
  text: `
    UPDATE circuit_breaker SET probe = $3, probe_until = clock_timestamp() + $4 * interval '1 millisecond'
    WHERE tenant = $1 AND provider = $2 AND forced IS NULL AND open_until <= clock_timestamp()
      AND (probe_until IS NULL OR probe_until <= clock_timestamp())
    RETURNING 1`,
};

export interface Probe extends CircuitKey {
  /** UUID: what the one that holds the probe proves it with. */
  id: string;
}

/** Of all that ask at once, in all processes, one gets it, until it ends or for the time of the lease. */
export async function takeProbe(connection: Connection, probe: Probe, leaseMs: number): Promise<boolean> {
  return (await run(connection, TAKE, [probe.tenant, probe.provider, probe.id, leaseMs])).length > 0;
}

const RENEW: Statement = {
  name: 'renew-probe',
  text: `
    UPDATE circuit_breaker SET probe_until = clock_timestamp() + $4 * interval '1 millisecond'
    WHERE tenant = $1 AND provider = $2 AND probe = $3`,
};

export async function renewProbe(connection: Connection, probe: Probe, leaseMs: number): Promise<void> {
  await run(connection, RENEW, [probe.tenant, probe.provider, probe.id, leaseMs]);
}

/** Nothing said: the next one may try at once. */
const END: Statement = {
  name: 'end-probe',
  text: `
    UPDATE circuit_breaker SET
      failed = CASE WHEN $4 = 'answered' THEN 0 ELSE failed END,
      last_error = coalesce($5::text, last_error),
      opened_at = CASE WHEN $4 = 'answered' THEN NULL ELSE opened_at END,
      open_until = CASE $4 WHEN 'answered' THEN NULL
        WHEN 'failed' THEN clock_timestamp() + coalesce(open_ms, $6::int) * interval '1 millisecond' ELSE open_until END,
      probe = NULL, probe_until = NULL
    WHERE tenant = $1 AND provider = $2 AND probe = $3
    RETURNING ${CIRCUIT}`,
};

export interface ProbeEnd {
  verdict: 'answered' | 'failed' | 'unknown';
  /** Of a failure. */
  error?: string;
}

/** @returns the circuit as it is now; undefined when the probe's lease had ended and somebody else has tried since */
export async function endProbe(
  connection: Connection,
  { tenant, provider, id }: Probe,
  { verdict, error }: ProbeEnd,
  { openMs }: CircuitDefaults,
): Promise<CircuitRow | undefined> {
  const [row] = await run<CircuitRow>(connection, END, [tenant, provider, id, verdict, error ?? null, openMs]);
  return row;
}
