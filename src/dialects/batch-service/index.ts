/** The batch service for code in the same process: its methods and its types. */
export { BatchProcessingService, type ExternalResult } from './batch-processing-service.js';
export * from './batch-service.types.js';
export * from './batch-stats.types.js';
