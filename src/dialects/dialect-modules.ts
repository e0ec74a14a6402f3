import { AnnotationsModule } from './annotations/annotations.module.js';
import { BatchServiceModule } from './batch-service/batch-service.module.js';
import { DocumentsModule } from './documents/documents.module.js';
import { ErpModule } from './erp/erp.module.js';
import { UploadsModule } from './uploads/uploads.module.js';

/** The five documented interfaces: each one's routes, and its service for code in the same process. */
export const DIALECT_MODULES = [ErpModule, AnnotationsModule, UploadsModule, BatchServiceModule, DocumentsModule];
