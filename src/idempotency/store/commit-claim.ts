import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { type Connection, run, type Statement } from '../../database/sql.js';

const COMMIT: Statement = {
  name: 'commit-idempotency-key',
  text: `
    UPDATE idempotency_key SET procedure = $4, output = $5 WHERE tenant = $1 AND key = $2 AND token = $3 AND answer IS NULL RETURNING 1 AS held`,
};

/**
 * Says, in the transaction that makes something, that it is made, and what the procedure gives back: both are there, or neither is.
 * Nothing to do for a caller without a key.
 * @throws AppError CONFLICT when the claim had run out and another request has taken the key; the transaction must not commit
 */
export async function commitClaim(
  connection: Connection,
  { tenant, once }: Caller,
  procedure: { name: string },
  output: unknown,
): Promise<void> {
  if (!once) return;
  const made = once.within ? once.within(output) : { procedure: procedure.name, output };
  const held = await run(connection, COMMIT, [tenant, once.key, once.token, made.procedure, JSON.stringify(made.output)]);
  if (held.length > 0) return;
  throw new AppError('CONFLICT', `Idempotency-Key: another request has taken over ${once.key} meanwhile; send it again to get its answer`, {
    details: { retryAfterMs: 1_000 },
  });
}
