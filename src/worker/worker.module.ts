import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { ItemHandlersModule } from '../operations/item-handlers.module.js';
import { Compensator } from './compensator.js';
import { LaneWorker } from './lane-worker.js';
import { MetricsSampler } from './metrics-sampler.js';
import { Rollbacks } from './rollbacks.js';
import { Sweeper } from './sweeper.js';
import { WorkerReports } from './worker-reports.js';

/** What a process of role worker (or all) does beside answering: take lanes and sweep. */
@Module({
  imports: [BatchesModule, ItemHandlersModule],
  providers: [LaneWorker, Compensator, Rollbacks, Sweeper, MetricsSampler, WorkerReports],
})
export class WorkerModule {}
