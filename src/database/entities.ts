import { AuditEntryEntity } from '../batches/entities/audit-entry.entity.js';
import { BatchEventEntity } from '../batches/entities/batch-event.entity.js';
import { BatchMetricEntity } from '../batches/entities/batch-metric.entity.js';
import { BatchEntity } from '../batches/entities/batch.entity.js';
import { ChunkEntity, ChunkItemsEntity } from '../batches/entities/chunk.entity.js';
import { CompensationEntity, RollbackTurnEntity } from '../batches/entities/compensation.entity.js';
import { EndedTotalEntity } from '../batches/entities/ended-total.entity.js';
import { ItemEditEntity } from '../batches/entities/item-edit.entity.js';
import { LaneEntity } from '../batches/entities/lane.entity.js';
import { OutcomeEntity } from '../batches/entities/outcome.entity.js';
import { RateBucketEntity } from '../batches/entities/rate-bucket.entity.js';
import { RetryEntity } from '../batches/entities/retry.entity.js';
import { RunEntity } from '../batches/entities/run.entity.js';
import { CircuitBreakerEntity } from '../breakers/entities/circuit-breaker.entity.js';
import { IdempotencyKeyEntity } from '../idempotency/entities/idempotency-key.entity.js';
import { FileEntity } from '../records/entities/file.entity.js';
import { RecordBackupEntity } from '../records/entities/record-backup.entity.js';
import { RecordEntity } from '../records/entities/record.entity.js';
import { RecordTotalEntity } from '../records/entities/record-total.entity.js';
import { TenantFilesEntity } from '../records/entities/tenant-files.entity.js';
import { WorkerEntity } from '../waiting/entities/worker.entity.js';
import { ClockEntity } from '../worker/entities/clock.entity.js';

export const ENTITIES = [
  BatchEntity,
  RunEntity,
  LaneEntity,
  ChunkEntity,
  ChunkItemsEntity,
  OutcomeEntity,
  CompensationEntity,
  RollbackTurnEntity,
  ItemEditEntity,
  RetryEntity,
  BatchEventEntity,
  EndedTotalEntity,
  BatchMetricEntity,
  RateBucketEntity,
  AuditEntryEntity,
  CircuitBreakerEntity,
  FileEntity,
  TenantFilesEntity,
  RecordEntity,
  RecordBackupEntity,
  RecordTotalEntity,
  IdempotencyKeyEntity,
  WorkerEntity,
  ClockEntity,
];
