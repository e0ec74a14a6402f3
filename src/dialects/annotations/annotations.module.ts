import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { AnnotationJobs } from './annotation-jobs.js';
import { AnnotationsController } from './annotations.controller.js';

/** Jobs that annotate images: `/api/batch/annotations`. Code in this process makes a `BatchProcessor`. */
@Module({ imports: [BatchesModule], controllers: [AnnotationsController], providers: [AnnotationJobs] })
export class AnnotationsModule {}
