import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';

/** The BatchProcessingService, for code in this process; over HTTP it is the native interface. */
@Module({ imports: [BatchesModule] })
export class BatchServiceModule {}
