import { type Connection, run, type Statement } from '../../database/sql.js';
import { waitingFor } from '../waiting-for.js';

const WAKE: Statement = {
  name: 'wake-items',
  text: `
    UPDATE retry t SET due_at = clock_timestamp() + interval '1 second'
    FROM run r JOIN batch b ON b.run_id = r.id
    WHERE r.id = t.run_id AND b.tenant = $1 AND t.error_kind = 'rate-limited' AND t.error ^@ $2 AND t.due_at > clock_timestamp() + interval '1 second'`,
};

/** The tenant's items that were told to wait for the provider come back in a second, when every process knows that its circuit is closed. */
export async function wakeItems(connection: Connection, tenant: string, provider: string): Promise<void> {
  await run(connection, WAKE, [tenant, waitingFor(provider, '')]);
}
