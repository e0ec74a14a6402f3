import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';

/** Batches of images to annotate: `/api/batch/annotations`. */
@Module({ imports: [BatchesModule] })
export class AnnotationsModule {}
