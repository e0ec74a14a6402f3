import { Socket } from 'node:net';
import { Pool } from 'pg';
import { PLAN_SETTINGS } from './plan-settings.js';

/** Its statements touch a few rows by their keys: one that takes longer waits for somebody, and the next heartbeat tries again. */
const STATEMENT_MS = 2_500;
const LOCK_MS = 2_000;
const CONNECT_MS = 2_000;
/** A connection on which nothing was heard for so long is cut off: heartbeats come every second. Above the time of a statement. */
const SILENCE_MS = 3_000;
/** Closed in order before that, when no lane is worked. */
const IDLE_MS = 1_500;

/** A second one, so that a question about the server does not wait behind a heartbeat. */
export const HEARTBEAT_CONNECTIONS = 2;

/**
 * Connections that nothing else may occupy: with every other one taken, a worker still keeps its lanes, and can ask what the server is
 * doing.
 */
export function openHeartbeatPool(url: string): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: 'batchwise heartbeat',
    options: PLAN_SETTINGS,
    max: HEARTBEAT_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: IDLE_MS,
    statement_timeout: STATEMENT_MS,
    lock_timeout: LOCK_MS,
    stream: timedSocket,
  });
  // Without a listener a connection that breaks while nobody uses it ends the process.
  pool.on('error', () => undefined);
  return pool;
}

/** pg's own time limits leave a connection that the server has forgotten in the pool, to be handed out again (brianc/node-postgres#3399). */
function timedSocket(): Socket {
  const socket = new Socket();
  return socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('Connection terminated: the server did not answer')));
}
