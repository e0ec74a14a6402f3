import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { BatchesModule } from '../batches/batches.module.js';
import { HealthController } from './health.controller.js';
import { CountBatchEventsListener, Metrics } from './metrics.js';
import { MetricsController } from './metrics.controller.js';

@Module({
  imports: [TerminusModule.forRoot({ logger: false }), BatchesModule],
  controllers: [HealthController, MetricsController],
  providers: [Metrics, CountBatchEventsListener],
})
export class HealthModule {}
