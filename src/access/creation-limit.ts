import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type OnApplicationShutdown,
  UseInterceptors,
} from '@nestjs/common';
import { ApiTooManyRequestsResponse } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Observable } from 'rxjs';
import { AppError } from '../common/app-error.js';
import type { Caller } from '../common/procedure.js';
import { Config } from '../config.js';
import { Idempotent } from '../idempotency/idempotency.interceptor.js';
import { connectRedis, disconnectRedis } from '../queue/redis.js';

/** How many batches a tenant may create in a minute: counted in Redis for all processes, and in each by itself while Redis is away. */
@Injectable()
export class CreationLimit implements OnApplicationShutdown {
  private readonly redis?: Redis;
  private readonly limiter: RateLimiterAbstract;

  constructor(private readonly config: Config) {
    const limit = { keyPrefix: 'batchwise:creations', points: config.createLimitPerMinute, duration: 60 };
    const memory = new RateLimiterMemory(limit);
    this.redis = config.redisUrl ? connectRedis(config.redisUrl, 'client') : undefined;
    this.limiter = this.redis
      ? new RateLimiterRedis({ ...limit, storeClient: this.redis, insuranceLimiter: memory, rejectIfRedisNotReady: true })
      : memory;
  }

  /** @throws AppError RATE_LIMITED, which says when the next one is allowed */
  async spend(caller: Caller): Promise<void> {
    try {
      await this.limiter.consume(caller.tenant);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const seconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
      throw new AppError(
        'RATE_LIMITED',
        `more than ${this.config.createLimitPerMinute} batches created in a minute; create the next one in ${seconds} s`,
        { details: { retryAfterMs: refusal.msBeforeNext } },
      );
    }
  }

  onApplicationShutdown(): void {
    if (this.redis) disconnectRedis(this.redis);
  }
}

@Injectable()
class CreationLimitInterceptor implements NestInterceptor {
  constructor(private readonly limit: CreationLimit) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    await this.limit.spend(context.switchToHttp().getRequest<FastifyRequest>().caller!);
    return next.handle();
  }
}

/** On every route that creates batches. What is answered from an earlier request under the same key is not counted. */
export const LimitCreation = (): MethodDecorator =>
  applyDecorators(
    Idempotent(),
    UseInterceptors(CreationLimitInterceptor),
    ApiTooManyRequestsResponse({
      description: 'Too many batches created in a minute; the Retry-After header says when the next one is allowed',
      headers: { 'Retry-After': { description: 'Seconds', schema: { type: 'integer' } } },
    }),
  );
