import { type Connection, run, type Statement } from '../../database/sql.js';
import { CIRCUIT, type CircuitKey, type CircuitRow } from './circuit-row.js';

const READ: Statement = {
  name: 'read-circuits',
  text: `SELECT ${CIRCUIT} FROM circuit_breaker WHERE (tenant, provider) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
};

/** @returns a row for each circuit that anything is known of */
export function readCircuits(connection: Connection, keys: CircuitKey[]): Promise<CircuitRow[]> {
  return run<CircuitRow>(connection, READ, [keys.map(({ tenant }) => tenant), keys.map(({ provider }) => provider)]);
}
