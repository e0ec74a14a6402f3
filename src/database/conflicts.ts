import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';

const DEADLOCK = '40P01';
/** SQLSTATEs of work that PostgreSQL gave up for the sake of other work, whole: a serialization failure, a deadlock. */
const GIVEN_UP = new Set(['40001', DEADLOCK]);

/** Each deadlock is found after a second (`deadlock_timeout`), and whoever gave a command is to be answered within five. */
const MAX_TRIES = 4;
const FIRST_WAIT_MS = 10;

const logger = new Logger('Database');
const met = { deadlocks: 0, others: 0 };

/** What a transaction found changed by another one so that it has to begin anew. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
  readonly code = '40001';
}

/** How often work of this process was begun anew, since the process started. */
export function conflictsMet(): Readonly<typeof met> {
  return { ...met };
}

/**
 * Does something that PostgreSQL may give up in favour of others, and then does all of it again, after a moment that differs from theirs.
 * @param work a statement or a whole transaction; may be called several times, so that it must change nothing but the database
 * @throws what it throws otherwise, and the conflict when it comes up again and again
 */
export async function despiteConflicts<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (!GIVEN_UP.has(code) || tries === MAX_TRIES) throw error;
      met[code === DEADLOCK ? 'deadlocks' : 'others'] += 1;
      if (code === DEADLOCK) logger.warn({ err: error, tries }, 'PostgreSQL gave a transaction up in a deadlock; it is begun anew');
      await delay(FIRST_WAIT_MS * 2 ** tries * Math.random());
    }
  }
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
