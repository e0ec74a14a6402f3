import type { BatchOptions } from '../batch.options.js';
import { type Connection, run, type Statement } from '../../database/sql.js';

/** The buckets that a start of an item costs a token each: its batch's, its pool's, its tenant's. */
export interface RateBucket {
  scope: 'batch' | 'pool' | 'tenant';
  /** The batch's id, the pool's name, or nothing. */
  name: string;
  /** Size of the bucket, and tokens that it gets in a minute. */
  perMinute: number;
}

/** @param tenantPerMinute what the tenant may start in a minute over all of its batches, if that is limited */
export function rateBucketsOf(batchId: string, options: BatchOptions, tenantPerMinute: number | undefined): RateBucket[] {
  const { rateLimitPerMinute: perMinute, rateLimitPool: pool } = options;
  return [
    ...(perMinute ? [{ scope: 'batch' as const, name: batchId, perMinute }] : []),
    ...(pool ? [{ scope: 'pool' as const, ...pool }] : []),
    ...(tenantPerMinute ? [{ scope: 'tenant' as const, name: '', perMinute: tenantPerMinute }] : []),
  ];
}

/**
 * Takes tokens from all of the buckets at once, as many as each of them can give. Their rows are locked in one order, and the
 * time is read after that, so processes that ask at the same moment never get more together than alone. Time before the last
 * take is forgotten when the clock is set back.
 */
const TAKE: Statement = {
  name: 'take-tokens',
  text: `
    WITH asked AS (
      SELECT * FROM unnest($2::text[], $3::text[], $4::float8[]) AS a (scope, name, per_minute)
    ), locked AS (
      SELECT b.scope, b.name, b.tokens, b.refilled_at, a.per_minute
      FROM rate_bucket b JOIN asked a ON a.scope = b.scope AND a.name = b.name
      WHERE b.tenant = $1 ORDER BY b.scope, b.name FOR UPDATE OF b
    ), moment AS MATERIALIZED (
      SELECT count(*) AS found, clock_timestamp() AS at FROM locked
    ), refilled AS (
      SELECT l.scope, l.name, l.per_minute, m.at,
        least(l.per_minute, l.tokens + $6 + greatest(0, extract(epoch FROM m.at - l.refilled_at)::float8) * l.per_minute / 60) AS tokens
      FROM locked l JOIN moment m ON m.found = cardinality($2::text[])
    ), granted AS MATERIALIZED (
      SELECT least($5::float8, floor(min(tokens))) AS n FROM refilled HAVING count(*) > 0
    ), taken AS (
      UPDATE rate_bucket b SET tokens = r.tokens - g.n, refilled_at = r.at
      FROM refilled r, granted g WHERE b.tenant = $1 AND b.scope = r.scope AND b.name = r.name
      RETURNING greatest(0, 1 - b.tokens) * 60000 / r.per_minute AS wait_ms
    )
    SELECT n::int AS granted, (SELECT max(wait_ms) FROM taken) AS next_ms FROM granted`,
};

/** A bucket that was not used for a minute is full: it need not be there. A batch that is being deleted gets none, which would outlive it. */
const FILL: Statement = {
  name: 'fill-buckets',
  text: `
    INSERT INTO rate_bucket (tenant, scope, name, tokens)
    SELECT $1, a.* FROM unnest($2::text[], $3::text[], $4::float8[]) AS a (scope, name, per_minute)
    WHERE a.scope <> 'batch' OR EXISTS (SELECT FROM batch b WHERE b.id = a.name AND b.tenant = $1 FOR KEY SHARE)
    ORDER BY 2, 3
    ON CONFLICT DO NOTHING`,
};

/** Once is enough, but for buckets that others fill or remove at this moment. */
const MAX_FILLS = 5;
/** A batch that is gone is not asked for again for so long. */
const GONE_MS = 60_000;

export interface TokenRequest {
  tenant: string;
  /** One to three, of different scopes. */
  buckets: RateBucket[];
  want: number;
  /** Tokens of these buckets taken earlier and not used: put back first. */
  unused: number;
}

export interface TokenGrant {
  granted: number;
  /** Milliseconds until there is a token in each bucket. 0: there is one now. */
  nextMs: number;
}

/**
 * Takes up to `want` tokens. Batches that name one pool with different numbers are told apart only by the take: each refills the
 * pool by its own number since the last take, whoever that was, and leaves no more in it than its own number.
 */
export async function takeTokens(connection: Connection, { tenant, buckets, want, unused }: TokenRequest): Promise<TokenGrant> {
  const where = whereOf(tenant, buckets);
  for (let fills = 0; fills < MAX_FILLS; fills += 1) {
    const [taken] = await run<{ granted: number; next_ms: number }>(connection, TAKE, [...where, want, unused]);
    if (taken) return { granted: taken.granted, nextMs: taken.next_ms };
    await run(connection, FILL, where);
  }
  return { granted: 0, nextMs: GONE_MS };
}

/** What is too much for a bucket is left out by the next take. */
const PUT_BACK: Statement = {
  name: 'put-back-tokens',
  text: `
    WITH locked AS (
      SELECT b.scope, b.name FROM rate_bucket b JOIN unnest($2::text[], $3::text[]) AS a (scope, name) ON a.scope = b.scope AND a.name = b.name
      WHERE b.tenant = $1 ORDER BY b.scope, b.name FOR UPDATE OF b
    )
    UPDATE rate_bucket b SET tokens = b.tokens + $4 FROM locked l WHERE b.tenant = $1 AND b.scope = l.scope AND b.name = l.name`,
};

const LIFT_HOLD: Statement = {
  name: 'lift-hold',
  text: `UPDATE run SET held_until = '-infinity' WHERE id = $1 AND status IN ('running', 'paused') AND held_until > '-infinity'`,
};

/** Puts tokens back that were not used; the run may go on with them at once. */
export async function putBackTokens(connection: Connection, runId: string, request: Omit<TokenRequest, 'want'>): Promise<void> {
  const [tenant, scopes, names] = whereOf(request.tenant, request.buckets);
  await run(connection, PUT_BACK, [tenant, scopes, names, request.unused]);
  await run(connection, LIFT_HOLD, [runId]);
}

const HOLD: Statement = {
  name: 'hold-run',
  text: `UPDATE run SET held_until = clock_timestamp() + $2 * interval '1 millisecond' WHERE id = $1 AND status = 'running'`,
};

/** Lets nobody take a lane of the run for so long: there are no tokens. */
export async function holdRun(connection: Connection, runId: string, ms: number): Promise<void> {
  await run(connection, HOLD, [runId, ms]);
}

const SELECT_EMPTY: Statement = {
  name: 'select-empty-buckets',
  text: `
    SELECT scope, name, per_minute AS "perMinute", clock_timestamp() + (1 - tokens) * 60 / per_minute * interval '1 second' AS "nextAt"
    FROM (
      SELECT a.*, b.tokens + greatest(0, extract(epoch FROM clock_timestamp() - b.refilled_at)::float8) * a.per_minute / 60 AS tokens
      FROM unnest($2::text[], $3::text[], $4::float8[]) AS a (scope, name, per_minute)
      JOIN rate_bucket b ON b.tenant = $1 AND b.scope = a.scope AND b.name = a.name
    ) refilled
    WHERE tokens < 1`,
};

/** Those of the buckets that have no token at this moment, and when they have one. */
export function selectEmptyBuckets(
  connection: Connection,
  tenant: string,
  buckets: RateBucket[],
): Promise<(RateBucket & { nextAt: Date })[]> {
  return run(connection, SELECT_EMPTY, whereOf(tenant, buckets));
}

const DELETE_IDLE: Statement = {
  name: 'delete-idle-buckets',
  text: `
    DELETE FROM rate_bucket WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM rate_bucket WHERE refilled_at < clock_timestamp() - interval '1 hour' FOR UPDATE SKIP LOCKED
    ))`,
};

/** Removes buckets that nobody took from for an hour: they are full, as one that is not there. One that is taken from just now stays. */
export async function deleteIdleBuckets(connection: Connection): Promise<void> {
  await run(connection, DELETE_IDLE, []);
}

function whereOf(tenant: string, buckets: RateBucket[]): [string, string[], string[], number[]] {
  return [tenant, buckets.map(({ scope }) => scope), buckets.map(({ name }) => name), buckets.map(({ perMinute }) => perMinute)];
}
