import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';

/** Jobs over documents: `/api/v1/documents/batch-process`. */
@Module({ imports: [BatchesModule] })
export class DocumentsModule {}
