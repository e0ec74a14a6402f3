import { freeBytes } from '../common/disk-bytes.js';

/** Log lines begin with this: the SQLSTATE in it tells kinds of trouble apart, whose sentences may change with each release. */
export const LOG_LINE_PREFIX = '%m [%p] %e ';
const LAST_WORDS = /^\S+ \S+ \S+ \[\d+\] (\w{5}) (FATAL|PANIC):/gm;

/** A connection that came too early (57P03), or that was ended with the server. */
const OF_A_CLIENT = /^57/;
const OUT_OF_SPACE = '53100';
/** The last processes of a server that was killed still hold its lock (F0001), or somebody took the port in between (XX000). */
const PASSING = /^(F0001|XX000) FATAL$/;
/**
 * Files that are damaged (XX, and XX000 only as a panic), missing, of another release or readable for others (22, 55, 58), and settings that
 * no server takes (42, F0).
 */
const HOPELESS = /^(22...|42...|55...|58...|F0000|XX00[12]) |^XX000 PANIC$/;
/** What a shell ends with when it cannot run a program. */
const NO_PROGRAM = [126, 127];
/** A segment of its log, which PostgreSQL makes as a whole. */
const SEGMENT_BYTES = 16 * 1024 ** 2;

/** `passing` goes by itself within seconds, `no-space` when somebody makes room, `hopeless` never; of `unknown` nobody can tell. */
export type StartTrouble = 'passing' | 'no-space' | 'hopeless' | 'unknown';

const TRIED_AGAIN = 'the embedded PostgreSQL does not start, and is tried again and again; the log of the service says why';
const SENTENCES: Record<StartTrouble, string> = {
  passing: TRIED_AGAIN,
  unknown: TRIED_AGAIN,
  'no-space': 'the embedded PostgreSQL has stopped: no space left in DATA_DIR; it is started again when somebody has made room',
  hopeless:
    'the embedded PostgreSQL does not start: its files in DATA_DIR are damaged or missing, or its program is; the log of the service says which',
};

/** PostgreSQL did not start. The message is for the log: it names folders of this machine. */
export class ServerStartError extends Error {
  constructor(
    readonly trouble: StartTrouble,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ServerStartError';
  }

  /** For clients, who are told nothing of this machine. */
  get sentence(): string {
    return SENTENCES[this.trouble];
  }
}

/**
 * What kept a server from starting.
 * @param log what it has said
 * @param status its exit status
 */
export async function troubleOf(cluster: string, log: string, status: number): Promise<StartTrouble> {
  if (NO_PROGRAM.includes(status)) return 'hopeless';
  const [, code, severity] = [...log.matchAll(LAST_WORDS)].findLast(([, sqlState]) => !OF_A_CLIENT.test(sqlState!)) ?? [];
  if (code === OUT_OF_SPACE) return 'no-space';
  const free = await freeBytes(cluster).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : Infinity));
  if (free === undefined) return 'hopeless';
  // Its last words had no room in the log either.
  if (code === undefined) return free < SEGMENT_BYTES ? 'no-space' : 'unknown';
  const words = `${code} ${severity}`;
  if (HOPELESS.test(words)) return 'hopeless';
  return PASSING.test(words) ? 'passing' : 'unknown';
}
