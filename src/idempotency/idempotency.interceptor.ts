import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { Idempotency } from './idempotency.js';

/** Answers a request whose `Idempotency-Key` came before with what it was answered then. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly idempotency: Idempotency) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const key = request.headers['idempotency-key'];
    if (key === undefined) return next.handle();
    return from(this.answer(request, String(key), context.switchToHttp().getResponse<FastifyReply>(), next));
  }

  private async answer(request: FastifyRequest, key: string, reply: FastifyReply, next: CallHandler): Promise<unknown> {
    const keyed = { caller: request.caller!, key, fingerprint: fingerprintOf(request) };
    const { answer, replayed } = await this.idempotency.once(keyed, (caller) => {
      request.caller = caller;
      return lastValueFrom(next.handle() as Observable<unknown>);
    });
    if (replayed) void reply.header('idempotency-replayed', 'true');
    return answer;
  }
}

/** A body that is read as a stream is known by its type and length alone: to know it whole, it would have to be read twice. */
function fingerprintOf(request: FastifyRequest): unknown {
  const { method, url, headers } = request;
  const body: unknown = request.body;
  if (!(body instanceof Readable)) return [method, url, body];
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  return [method, url, { type, length: headers['content-length'] }];
}

/** On every route that makes something, or sets it going. */
export const Idempotent = (): MethodDecorator =>
  applyDecorators(
    UseInterceptors(IdempotencyInterceptor),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: 'Up to 255 visible ASCII characters: a second request with it within a day gets the answer of the first',
    }),
  );
