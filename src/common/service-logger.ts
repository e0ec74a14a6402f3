import type { LoggerService } from '@nestjs/common';
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import type { Level, Logger } from 'pino';

/** The log of the request that is being answered: its lines carry the request's id. */
const requestLog = new AsyncLocalStorage<Logger>();

export function logWithin<T>(log: Logger, work: () => T): T {
  return requestLog.run(log, work);
}

/** Nest's logger as JSON lines through pino; what a request causes is logged with the request's id. */
export class ServiceLogger implements LoggerService {
  constructor(private readonly root: Logger) {}

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('info', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  /** Nest hands on what was logged, then a sentence or a stack if there are two, and the name of the class that logs at the end. */
  private write(level: Level, message: unknown, rest: unknown[]): void {
    const log = requestLog.getStore() ?? this.root;
    const context = rest.at(-1);
    const [second] = rest.slice(0, -1);
    if (typeof message === 'object') {
      const fields = message instanceof Error ? { err: message } : message;
      log[level]({ context, ...fields }, typeof second === 'string' ? second : undefined);
      return;
    }
    const text = typeof message === 'string' ? message : inspect(message);
    if (typeof second === 'string' && /\n\s*at /.test(second)) {
      const err = Object.assign(new Error(text), { stack: second });
      log[level]({ context, err });
    } else {
      log[level]({ context }, text);
    }
  }
}
