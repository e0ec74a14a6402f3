import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { BatchContentsController } from './batch-contents.controller.js';
import { BatchesController } from './batches.controller.js';
import { RestoresController } from './restores.controller.js';
import { RetriesController } from './retries.controller.js';

/** The service's own REST interface, `/api/batches`. */
@Module({ imports: [BatchesModule], controllers: [BatchesController, BatchContentsController, RetriesController, RestoresController] })
export class NativeModule {}
