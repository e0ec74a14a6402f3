import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { BatchProcessingFacade } from './batch-processing.facade.js';
import { ErpBatchController } from './erp-batch.controller.js';

/** The interface of the ERP batch module: `/api/batch`, and `BatchProcessingFacade` for code in this process. */
@Module({
  imports: [BatchesModule],
  controllers: [ErpBatchController],
  providers: [BatchProcessingFacade],
  exports: [BatchProcessingFacade],
})
export class ErpModule {}
