import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { UploadsController } from './uploads.controller.js';

/** Uploaded files, read in batches: `/api/batch/upload` and `/api/batch/jobs`. */
@Module({ imports: [BatchesModule], controllers: [UploadsController] })
export class UploadsModule {}
