import { Module } from '@nestjs/common';
import { CircuitBreakers } from './circuit-breakers.js';
import { UpdateBreakerHandler } from './commands/update-breaker.command.js';
import { GetBreakerHandler } from './queries/get-breaker.query.js';
import { ListBreakersHandler } from './queries/list-breakers.query.js';

/** Circuit breakers of providers, for item handlers, and the procedures that show and set them. */
@Module({
  providers: [CircuitBreakers, UpdateBreakerHandler, GetBreakerHandler, ListBreakersHandler],
  exports: [CircuitBreakers],
})
export class BreakersModule {}
