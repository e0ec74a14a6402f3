import type { StoredRecord } from '../records/store/select-records-by-keys.js';
import { type ChunkContext, PermanentError } from './item-handler.js';

/**
 * What an item ends as whose record has an annotation that the batch is to leave as it is; undefined when the record is to be
 * annotated. An annotation that this batch has written itself is that of a try that was cut off before its result was recorded.
 */
export function annotationConflict(
  { key, fields, writtenBy }: StoredRecord,
  { conflictResolution, batchId }: ChunkContext,
): { skipped: string } | { error: PermanentError } | undefined {
  if (fields.annotation_status !== 'done' || writtenBy === batchId) return undefined;
  const reason = `record ${key} is annotated already`;
  if (conflictResolution === 'skip') return { skipped: reason };
  return conflictResolution === 'fail' ? { error: new PermanentError(reason) } : undefined;
}
