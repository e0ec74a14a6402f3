import { type Database, run, type Statement } from '../database/sql.js';

/** Clocks are slewed and make small leaps: for less than this nothing waits noticeably longer. */
const TOLERANCE = `interval '1 second'`;

const LOOK: Statement = {
  name: 'look-at-clock',
  text: `UPDATE clock SET seen_at = clock_timestamp() WHERE seen_at < clock_timestamp() + ${TOLERANCE} RETURNING 1 AS goes_on`,
};

/** The row is locked, so that of all processes that notice it one moves the times. */
const FIND_SET_BACK: Statement = {
  name: 'find-set-back-clock',
  text: `
    SELECT extract(epoch FROM seen_at - clock_timestamp())::float8 * 1000 AS ms FROM clock
    WHERE seen_at >= clock_timestamp() + ${TOLERANCE} FOR UPDATE`,
};

const LOOK_ANEW: Statement = { name: 'look-anew-at-clock', text: 'UPDATE clock SET seen_at = clock_timestamp()' };

/**
 * `back`: by how much the clock was set back. What was written after `since` may have been written by the new time, and no lease that was
 * ends after `lease_end`.
 */
const TIMES = `
  WITH t AS (
    SELECT clock_timestamp() AS now, $1::float8 * interval '1 millisecond' AS back,
      clock_timestamp() - $2::float8 * interval '1 millisecond' AS since, clock_timestamp() + $3::float8 * interval '1 millisecond' AS lease_end
  )`;

/**
 * What waits for a time or is measured from one. Rows are locked in the order of all transactions: runs, lanes, whatever else. Times that
 * only tell what happened stay as they were written.
 */
const MOVES: Statement[] = [
  move('run', {
    set: `started_at = started_at - back, deadline_at = deadline_at - back, held_until = '-infinity', progress_at = least(progress_at, now)`,
    where: `status IN ('running', 'paused', 'stopping') AND started_at NOT BETWEEN since AND now`,
  }),
  move('lane', {
    set: `lease_until = ${backIf('lease_until', 'lease_end')}, claimed_at = ${backIf('claimed_at', 'now')}`,
    where: 'lease_until > lease_end OR claimed_at > now',
  }),
  move('retry', { set: 'due_at = due_at - back', where: 'due_at > now AND failed_at NOT BETWEEN since AND now' }),
  move('rollback_turn', {
    set: `lease_until = ${backIf('lease_until', 'lease_end')}, due_at = ${backIf('due_at', 'now')}`,
    where: 'greatest(lease_until, due_at) > now',
  }),
  move('rate_bucket', { set: 'refilled_at = now', where: 'refilled_at > now' }),
  move('circuit_breaker', {
    set: 'opened_at = opened_at - back, open_until = open_until - back, probe_until = probe_until - back',
    where: 'greatest(open_until, probe_until) > now AND opened_at NOT BETWEEN since AND now',
  }),
  move('upload', {
    set: 'accepted_at = accepted_at - back',
    where: `accepted_at > now - interval '1 hour' AND accepted_at NOT BETWEEN since AND now`,
  }),
  // Claimed for half a minute at a time, and again as long as a request lasts.
  move('idempotency_key', { set: 'claimed_until = claimed_until - back', where: `claimed_until > now + interval '1 minute'` }),
  move('worker', { set: 'seen_at = now', where: 'seen_at > now' }),
];

/**
 * Looks whether the database's clock was set back since any process looked, and then moves whatever waits for a time by as much: no lease,
 * retry, rate, time limit or open circuit lasts longer for it than by the time between two looks. A clock that is set forward ends them early,
 * which fences, limits of tries and idempotency keys are there for.
 * @param writtenMs the longest time between two looks
 * @returns by how many milliseconds it was set back; 0 as a rule
 */
export async function followClock(database: Database, { writtenMs, leaseMs }: { writtenMs: number; leaseMs: number }): Promise<number> {
  if ((await run(database.pool, LOOK, [])).length > 0) return 0;
  return database.transaction(async (connection) => {
    const [setBack] = await run<{ ms: number }>(connection, FIND_SET_BACK, []);
    if (!setBack) return 0;
    for (const each of MOVES) await run(connection, each, [setBack.ms, writtenMs, leaseMs]);
    await run(connection, LOOK_ANEW, []);
    return setBack.ms;
  });
}

function move(table: string, { set, where }: { set: string; where: string }): Statement {
  return { name: `move-times-of-${table.replace('_', '-')}`, text: `${TIMES} UPDATE ${table} SET ${set} FROM t WHERE ${where}` };
}

function backIf(column: string, later: string): string {
  return `CASE WHEN ${column} > ${later} THEN ${column} - back ELSE ${column} END`;
}
