// Compiled by `npm run typecheck`, never run: what the annotation document's clients write with the types that it names.
import {
  type BatchJob,
  type BatchJobProgress,
  type BatchProcessor,
  type CreateBatchJobRequest,
  estimateDurationMinutes,
} from '../../src/dialects/annotations/index.js';

export const requests: CreateBatchJobRequest[] = [
  { imageIds: ['123e4567-e89b-12d3-a456-426614174001'] },
  { imageIds: ['img1'], concurrency: 10, rateLimitPerMinute: 500 },
];

export function progressDisplay({ status, progress: stats, errors, estimatedTimeRemaining }: BatchJobProgress): string[] {
  const eta: string | undefined | 0 = estimatedTimeRemaining && `${Math.ceil(estimatedTimeRemaining / 1_000)}s`;
  const counts: number = stats.total + stats.processed + stats.successful + stats.failed + stats.percentage;
  return [
    status,
    `${eta} ${counts}`,
    ...errors.map(({ itemId, error, attemptNumber }) => `${itemId}: ${error} ${attemptNumber.toFixed()}`),
  ];
}

export function dashboardRow({ id, status, processedItems, totalItems, startedAt }: BatchJob): string {
  const percent = Math.round((processedItems / totalItems) * 100);
  return `${id.slice(0, 8)}... ${status} ${percent}% ${new Date(startedAt).toLocaleString()}`;
}

export async function unitTest(processor: BatchProcessor): Promise<void> {
  const jobId: string = await processor.startBatch(['img1', 'img2'], 1);
  const progress: BatchJobProgress | null = await processor.getJobProgress(jobId);
  const errorTypes = progress?.errors.reduce<Record<string, number>>(
    (acc, err) => ({ ...acc, [err.error]: (acc[err.error] ?? 0) + 1 }),
    {},
  );
  const cancelled: boolean = await processor.cancelJob(jobId);
  const minutes: number = estimateDurationMinutes(1_000, 'paid');
  use(errorTypes, cancelled, minutes, ['completed', 'failed', 'cancelled'].includes(progress!.status));
  processor.destroy();
}

export function wrongCalls(processor: BatchProcessor, progress: BatchJobProgress): void {
  // @ts-expect-error there is no such tier
  estimateDurationMinutes(1, 'gold');
  // @ts-expect-error a list of ids
  void processor.startBatch('img1');
  // @ts-expect-error the errors are beside the counts, not among them
  use(progress.progress.errors);
}

declare function use(...values: unknown[]): void;
