/** The ERP module's batch service for code in the same process: its methods and its types. */
export { BatchProcessingFacade } from './batch-processing.facade.js';
export type { CreateErpBatchRequest, ErpStatus } from './erp.request.js';
export type { ErpBatch, ErpVisualization } from './erp.reply.js';
