import { type Connection, run, type Statement } from '../../database/sql.js';
import type { CircuitDefaults } from '../circuit-defaults.js';
import { CIRCUIT, type CircuitKey, type CircuitRow } from './circuit-row.js';

const FAILED = `(CASE WHEN $3::boolean THEN 0 ELSE failed END + $4::int)`;
const OPENS = `${FAILED} >= coalesce(failures, $6::int)`;

/** Counts on in a closed circuit, and opens it at the failure that is one too many. */
const RECORD: Statement = {
  name: 'record-verdicts',
  text: `
    UPDATE circuit_breaker SET
      failed = ${FAILED}, last_error = coalesce($5::text, last_error),
      opened_at = CASE WHEN ${OPENS} THEN clock_timestamp() END,
      open_until = CASE WHEN ${OPENS} THEN clock_timestamp() + coalesce(open_ms, $7::int) * interval '1 millisecond' END
    WHERE tenant = $1 AND provider = $2 AND opened_at IS NULL AND forced IS NULL
    RETURNING ${CIRCUIT}`,
};

const MAKE: Statement = {
  name: 'make-circuit',
  text: 'INSERT INTO circuit_breaker (tenant, provider) VALUES ($1, $2) ON CONFLICT DO NOTHING',
};

/** What a process has seen of a provider since it wrote last. */
export interface Verdicts {
  /** It did its work at least once. */
  answered: boolean;
  /** Failures in a row since then. */
  failed: number;
  lastError: string | null;
}

/** @returns the circuit as it is now; undefined when it was open, or forced, and nothing was counted */
export async function recordVerdicts(
  connection: Connection,
  { tenant, provider }: CircuitKey,
  { answered, failed, lastError }: Verdicts,
  { failures, openMs }: CircuitDefaults,
): Promise<CircuitRow | undefined> {
  const record = () => run<CircuitRow>(connection, RECORD, [tenant, provider, answered, failed, lastError, failures, openMs]);
  const [counted] = await record();
  if (counted) return counted;
  await run(connection, MAKE, [tenant, provider]);
  return (await record())[0];
}
