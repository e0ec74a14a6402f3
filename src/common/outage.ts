const CONNECTION_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENOENT']);

/** What pg, its pool and TypeORM say without a code when a connection is gone. */
const MESSAGES =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|timeout expired|Query read timeout|is not queryable|after calling end on the pool|Query runner already released|Driver not Connected|not yet established/;

/** Why a database did not do what it may do a moment later. */
export interface Outage {
  kind: 'unreachable' | 'starting' | 'no-space' | 'no-memory' | 'too-many-connections' | 'busy' | 'slow' | 'read-only' | 'disk' | 'refused';
  /** A sentence for clients. */
  message: string;
  /** Milliseconds after which it may be tried again. */
  retryAfterMs: number;
}

const SOON_MS = 2_000;
/** For what somebody has to do something about. */
const LATER_MS = 30_000;

const OUTAGES = {
  unreachable: { message: 'the database cannot be reached right now; try again', retryAfterMs: SOON_MS },
  starting: { message: 'the database is just starting or shutting down; try again', retryAfterMs: SOON_MS },
  'no-space': { message: "no space left on the database's disk; try again when somebody has made room", retryAfterMs: LATER_MS },
  'no-memory': { message: 'the database is out of memory; try again', retryAfterMs: SOON_MS },
  'too-many-connections': {
    message:
      'the database has too many connections; try again, or let each process open fewer (DATABASE_POOL_SIZE) or PostgreSQL take more (max_connections)',
    retryAfterMs: SOON_MS,
  },
  busy: { message: 'the database is busy: something else changes the same data at this moment; try again', retryAfterMs: SOON_MS },
  slow: { message: 'the database took too long over this; try again', retryAfterMs: SOON_MS },
  'read-only': {
    message: 'the database takes no changes: it is a standby or set to read-only (DATABASE_URL names it); try again',
    retryAfterMs: SOON_MS,
  },
  disk: {
    message: 'the database cannot read or write its own files; its log says which, and somebody has to look at it',
    retryAfterMs: LATER_MS,
  },
  refused: {
    message: 'the database refuses this service: the user, the password, the name or the rights in DATABASE_URL do not fit any more',
    retryAfterMs: LATER_MS,
  },
} satisfies Record<Outage['kind'], Omit<Outage, 'kind'>>;

/** Classes and conditions of PostgreSQL's appendix A that are nothing which the statement did wrong. */
const SQLSTATES: [states: RegExp, kind: Outage['kind']][] = [
  [/^08...$/, 'unreachable'],
  [/^57P0.$/, 'starting'],
  [/^(53100|53400)$/, 'no-space'],
  [/^53200$/, 'no-memory'],
  [/^53300$/, 'too-many-connections'],
  [/^53...$/, 'unreachable'],
  [/^(40001|40P01|55P03)$/, 'busy'],
  [/^57014$/, 'slow'],
  [/^25006$/, 'read-only'],
  [/^(58030|58P01|XX001|XX002)$/, 'disk'],
  [/^(28...|3D000|42501)$/, 'refused'],
];

const explanations = new Set<() => string | undefined>();

/**
 * Lets whoever runs a database in this process say why it is away.
 * @param why a sentence for clients, or undefined while it is there
 * @returns what takes it back
 */
export function explainOutages(why: () => string | undefined): () => void {
  explanations.add(why);
  return () => explanations.delete(why);
}

/** Set when a database (or the way to it) failed, not the statement: the same call may succeed later. */
export function outageOf(error: unknown): Outage | undefined {
  const kind = kindOf(error);
  if (!kind) return undefined;
  const explained = kind === 'unreachable' || kind === 'starting' ? explanation() : undefined;
  return { kind, ...OUTAGES[kind], ...(explained !== undefined && { message: explained }) };
}

function explanation(): string | undefined {
  for (const why of explanations) {
    const message = why();
    if (message !== undefined) return message;
  }
  return undefined;
}

function kindOf(error: unknown, depth = 0): Outage['kind'] | undefined {
  if (!(error instanceof Error) || depth > 4) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = SQLSTATES.find(([states]) => states.test(code))?.[1];
  if (known) return known;
  if ((CONNECTION_CODES.has(code) && isNetworkCall(error)) || MESSAGES.test(error.message)) return 'unreachable';
  const inner = [
    error.cause,
    'driverError' in error ? error.driverError : undefined,
    ...(error instanceof AggregateError ? (error.errors as unknown[]) : []),
  ];
  for (const each of inner) {
    const kind = kindOf(each, depth + 1);
    if (kind) return kind;
  }
  return undefined;
}

/** ENOENT is a missing Unix socket when it comes from connect, and a missing file otherwise. */
function isNetworkCall(error: Error): boolean {
  return 'syscall' in error && /^(?:connect|read|write|getaddrinfo)$/.test(String(error.syscall));
}
