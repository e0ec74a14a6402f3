import { type Connection, run, type Statement } from '../../database/sql.js';

const KEPT = `interval '24 hours'`;

/**
 * Takes a key that is new, or whose holder is gone: a day old, or its claim ran out before it was answered. What its holder had made by
 * then is handed on to the same request; a key with nothing made is free for any.
 */
const CLAIM: Statement = {
  name: 'claim-idempotency-key',
  text: `
    INSERT INTO idempotency_key AS k (tenant, key, hash, token, claimed_until)
    VALUES ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond')
    ON CONFLICT (tenant, key) DO UPDATE SET hash = excluded.hash, token = excluded.token, claimed_until = excluded.claimed_until,
      procedure = CASE WHEN k.created_at > clock_timestamp() - ${KEPT} THEN k.procedure END,
      output = CASE WHEN k.created_at > clock_timestamp() - ${KEPT} THEN k.output END,
      answer = NULL,
      created_at = CASE WHEN k.created_at > clock_timestamp() - ${KEPT} THEN k.created_at ELSE excluded.created_at END
    WHERE k.claimed_until < clock_timestamp() AND (
      k.created_at < clock_timestamp() - ${KEPT}
      OR (k.answer IS NULL AND (k.output IS NULL OR k.hash = excluded.hash))
    )
    RETURNING procedure, output`,
};

export interface KeyClaim {
  tenant: string;
  key: string;
  hash: Buffer;
  token: string;
}

/** What was made under the key before, by a process that did not live to answer. */
export interface Made {
  procedure: string | null;
  output: unknown;
}

/** @returns undefined when somebody else has the key */
export async function claimKey(connection: Connection, claim: KeyClaim, leaseMs: number): Promise<Made | undefined> {
  const [made] = await run<Made>(connection, CLAIM, [claim.tenant, claim.key, claim.hash, claim.token, leaseMs]);
  return made;
}

const SELECT: Statement = {
  name: 'select-idempotency-key',
  text: `SELECT hash, answer::text AS answer FROM idempotency_key WHERE tenant = $1 AND key = $2`,
};

export interface HeldKey {
  hash: Buffer;
  /** JSON text; null while the request is carried out. */
  answer: string | null;
}

export async function selectKey(connection: Connection, { tenant, key }: KeyClaim): Promise<HeldKey | undefined> {
  const [held] = await run<HeldKey>(connection, SELECT, [tenant, key]);
  return held;
}

const RENEW: Statement = {
  name: 'renew-idempotency-key',
  text: `
    UPDATE idempotency_key SET claimed_until = clock_timestamp() + $4 * interval '1 millisecond'
    WHERE tenant = $1 AND key = $2 AND token = $3`,
};

/** For another while. Changes nothing when somebody took the key over. */
export async function renewKey(connection: Connection, { tenant, key, token }: KeyClaim, leaseMs: number): Promise<void> {
  await run(connection, RENEW, [tenant, key, token, leaseMs]);
}

const ANSWER: Statement = {
  name: 'answer-idempotency-key',
  text: `UPDATE idempotency_key SET answer = $4, output = NULL WHERE tenant = $1 AND key = $2 AND token = $3`,
};

/** @param answer JSON text, for those who send the request again */
export async function answerKey(connection: Connection, { tenant, key, token }: KeyClaim, answer: string): Promise<void> {
  await run(connection, ANSWER, [tenant, key, token, answer]);
}

const RELEASE: Statement = {
  name: 'release-idempotency-key',
  text: `
    WITH freed AS (UPDATE idempotency_key SET claimed_until = '-infinity' WHERE tenant = $1 AND key = $2 AND token = $3 AND output IS NOT NULL)
    DELETE FROM idempotency_key WHERE tenant = $1 AND key = $2 AND token = $3 AND output IS NULL`,
};

/** After a failure: the key can be used again at once. What was made all the same stays with it. */
export async function releaseKey(connection: Connection, { tenant, key, token }: KeyClaim): Promise<void> {
  await run(connection, RELEASE, [tenant, key, token]);
}

const FORGET: Statement = {
  name: 'forget-idempotency-keys',
  text: `
    DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM idempotency_key
      WHERE created_at < now() - ${KEPT} AND claimed_until < clock_timestamp() LIMIT 10000 FOR UPDATE SKIP LOCKED
    ))`,
};

/** Removes keys that are a day old, up to ten thousand at a time. An index knows what is older than now(), but not than a running clock. @returns how many */
export async function forgetKeys(connection: Connection): Promise<number> {
  const { rowCount } = await connection.query({ ...FORGET, values: [] });
  return rowCount ?? 0;
}
