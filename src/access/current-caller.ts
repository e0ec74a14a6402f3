import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller, Dialect } from '../common/procedure.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; set by AccessHook on every route that is not public. */
    caller?: Caller;
  }
}

/**
 * Who calls this route, as `Caller`.
 * @param dialect the interface that the route belongs to
 */
export const CurrentCaller = createParamDecorator((dialect: Dialect | undefined, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!caller) throw new Error('A public route has no caller');
  return { ...caller, dialect };
});
