import { type Connection, run, type Statement } from '../../database/sql.js';

const WAKE: Statement = {
  name: 'wake-items',
  text: `
    UPDATE retry SET due_at = clock_timestamp() + interval '1 second'
    WHERE run_id = ANY (ARRAY(
        SELECT r.id FROM run r JOIN batch b ON b.id = r.batch_id WHERE b.tenant = $1 AND r.status IN ('running', 'paused')
      ))
      AND waits_for = $2 AND due_at > clock_timestamp() + interval '1 second'`,
};

/** The tenant's items that were told to wait for the provider come back in a second, when every process knows that its circuit is closed. */
export async function wakeItems(connection: Connection, tenant: string, provider: string): Promise<void> {
  await run(connection, WAKE, [tenant, provider]);
}
