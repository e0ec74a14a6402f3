/** The image annotation system for code in the same process: its names and its types. */
export { BatchProcessor } from './batch-processor.facade.js';
export { ServiceInProcess } from '../../common/running-service.js';
export { createRateLimiter, RateLimiter } from './rate-limiter.js';
export { estimateDurationMinutes, type RateLimit } from './duration-estimate.js';
export type { CreateBatchJobRequest } from './annotations.request.js';
export type { AnnotationTier, BatchJob, BatchJobError, BatchJobProgress, BatchJobStatus } from './annotations.reply.js';
