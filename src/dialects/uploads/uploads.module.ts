import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';

/** Uploaded files, read in batches: `/api/batch/upload` and `/api/batch/jobs`. */
@Module({ imports: [BatchesModule] })
export class UploadsModule {}
