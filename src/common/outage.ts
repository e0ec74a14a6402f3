const CONNECTION_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENOENT']);

/**
 * PostgreSQL's SQLSTATE for "not now": connection trouble (08), no room or connections left (53), shutting down or starting (57P0x),
 * cancelled at a time limit (57014), deadlock and serialization (40), lock not to be had in time (55P03).
 */
const SQLSTATES = /^(?:08...|53...|57P0.|57014|40001|40P01|55P03)$/;

/** What pg, its pool and TypeORM say without a code when a connection is gone. */
const MESSAGES =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|timeout expired|Query read timeout|is not queryable|after calling end on the pool|Query runner already released|Driver not Connected|not yet established/;

/** True when a database (or the way to it) failed, not the statement: the same call may succeed a moment later. */
export function isOutage(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > 4) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if ((CONNECTION_CODES.has(code) && isNetworkCall(error)) || SQLSTATES.test(code) || MESSAGES.test(error.message)) return true;
  const inner = [
    error.cause,
    'driverError' in error ? error.driverError : undefined,
    ...(error instanceof AggregateError ? (error.errors as unknown[]) : []),
  ];
  return inner.some((each) => isOutage(each, depth + 1));
}

/** ENOENT is a missing Unix socket when it comes from connect, and a missing file otherwise. */
function isNetworkCall(error: Error): boolean {
  return 'syscall' in error && /^(?:connect|read|write|getaddrinfo)$/.test(String(error.syscall));
}
