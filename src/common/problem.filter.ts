import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AppError } from './app-error.js';
import { type Problem, toProblem } from './problem.js';

/** Answers anything thrown on an HTTP route with the one error body. What is thrown elsewhere is thrown on. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw thrown;
    const { httpAdapter } = this.adapterHost;
    const response = host.switchToHttp().getResponse<object>();
    const problem = toProblem(thrown);
    this.log(thrown, problem);
    if (httpAdapter.isHeadersSent(response)) {
      httpAdapter.end(response);
      return;
    }
    for (const [name, value] of Object.entries(headersOf(problem))) httpAdapter.setHeader(response, name, value);
    httpAdapter.reply(response, problem.body, problem.body.statusCode);
  }

  private log(thrown: unknown, problem: Problem): void {
    if (!problem.expected) this.logger.error({ err: thrown }, 'unexpected error');
    else if (problem.body.statusCode >= 500) this.logger.warn({ err: thrown }, problem.body.message);
  }
}

/** The same for the engine's errors alone: how an application that embeds it answers anything else is its own affair. */
@Catch(AppError)
export class AppErrorFilter extends ProblemFilter {}

export function headersOf({ body, retryAfterMs }: Problem): Record<string, string> {
  return {
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
    ...(body.statusCode === 401 && { 'www-authenticate': 'Bearer realm="batchwise"' }),
  };
}
