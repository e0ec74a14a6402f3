import type { BatchEventRecord } from '../../batches/events/batch.events.js';
import { toErpBatch, toErpStatus } from './erp-batch.js';

/**
 * The socket messages of the ERP module for one event. Its pages merge them into the batch they show and learn of the end only from a
 * last `batch:progress`, so that one comes with every change of state, and before `batch:completed`.
 */
export function toErpMessages({ type, batchId, data }: BatchEventRecord): { name: string; payload: object }[] {
  if (type === 'batch.created') return [{ name: 'batch:created', payload: toErpBatch({ ...data, id: batchId }) }];
  if (type === 'batch.stuck') return [];
  const paused = type === 'batch.paused' || type === 'batch.resumed' ? { paused: type === 'batch.paused' } : {};
  const payload = { batchId, progress: data.progress, status: toErpStatus(data.status), ...paused };
  const progress = { name: 'batch:progress', payload };
  return type === 'batch.completed' ? [progress, { name: 'batch:completed', payload: { batchId } }] : [progress];
}
