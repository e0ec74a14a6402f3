import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { BatchServiceModule } from '../batch-service/batch-service.module.js';
import { BatchContentsController } from './batch-contents.controller.js';
import { BatchFiguresController } from './batch-figures.controller.js';
import { BatchJobsController } from './batch-jobs.controller.js';
import { BatchMovesController } from './batch-moves.controller.js';
import { BatchesController } from './batches.controller.js';
import { BreakersController } from './breakers.controller.js';
import { ItemsController } from './items.controller.js';
import { RestoresController } from './restores.controller.js';
import { RetriesController } from './retries.controller.js';

/** The service's own REST interface, `/api/batches`, which is the batch service's too, and `/api/breakers`. */
@Module({
  imports: [BatchesModule, BatchServiceModule],
  controllers: [
    BatchFiguresController,
    BatchesController,
    BatchContentsController,
    BatchMovesController,
    RetriesController,
    ItemsController,
    RestoresController,
    BatchJobsController,
    BreakersController,
  ],
})
export class NativeModule {}
