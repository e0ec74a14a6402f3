import { Engine1764000001000 } from './1764000001000-engine.js';
import { Records1764000002000 } from './1764000002000-records.js';
import { RateLimits1764000003000 } from './1764000003000-rate-limits.js';
import { Uploads1764000004000 } from './1764000004000-uploads.js';
import { Repeats1764000005000 } from './1764000005000-repeats.js';
import { BatchMetrics1764000006000 } from './1764000006000-batch-metrics.js';
import { ExternalPositions1764000006100 } from './1764000006100-external-positions.js';
import { RecordBackups1764000007000 } from './1764000007000-record-backups.js';
import { ErrorStacks1764000008000 } from './1764000008000-error-stacks.js';
import { Control1764000010000 } from './1764000010000-control.js';
import { ItemEdits1764000011000 } from './1764000011000-item-edits.js';
import { IdempotencyKeys1764000012000 } from './1764000012000-idempotency-keys.js';
import { CircuitBreakers1764000013000 } from './1764000013000-circuit-breakers.js';
import { Compensations1764000014000 } from './1764000014000-compensations.js';
import { Workers1764000016000 } from './1764000016000-workers.js';
import { BatchByRun1764000017000 } from './1764000017000-batch-by-run.js';
import { EndedTotals1764000018000 } from './1764000018000-ended-totals.js';
import { KeySummaries1764000019000 } from './1764000019000-key-summaries.js';
import { OutputsAsTheyAre1764000020000 } from './1764000020000-outputs-as-they-are.js';
import { BatchWarnings1764000020500 } from './1764000020500-batch-warnings.js';
import { ExactFigures1764000021000 } from './1764000021000-exact-figures.js';
import { LastErrors1764000023000 } from './1764000023000-last-errors.js';
import { BusyLanes1764000023100 } from './1764000023100-busy-lanes.js';
import { UploadsByCredential1764000024000 } from './1764000024000-uploads-by-credential.js';
import { BusyWorkers1764000025000 } from './1764000025000-busy-workers.js';
import { NoSpace1764000026000 } from './1764000026000-no-space.js';
import { Clock1764000028000 } from './1764000028000-clock.js';
import { BytesOfFiles1764000029000 } from './1764000029000-bytes-of-files.js';
import { OpenExternalResults1764000030000 } from './1764000030000-open-external-results.js';
import { RecordTotals1764000031000 } from './1764000031000-record-totals.js';

/** Every migration, oldest first. They run at start under a lock, so that several processes may start at once. */
export const MIGRATIONS = [
  Engine1764000001000,
  Records1764000002000,
  RateLimits1764000003000,
  Uploads1764000004000,
  Repeats1764000005000,
  BatchMetrics1764000006000,
  ExternalPositions1764000006100,
  RecordBackups1764000007000,
  ErrorStacks1764000008000,
  Control1764000010000,
  ItemEdits1764000011000,
  IdempotencyKeys1764000012000,
  CircuitBreakers1764000013000,
  Compensations1764000014000,
  Workers1764000016000,
  BatchByRun1764000017000,
  EndedTotals1764000018000,
  KeySummaries1764000019000,
  OutputsAsTheyAre1764000020000,
  BatchWarnings1764000020500,
  ExactFigures1764000021000,
  LastErrors1764000023000,
  BusyLanes1764000023100,
  UploadsByCredential1764000024000,
  BusyWorkers1764000025000,
  NoSpace1764000026000,
  Clock1764000028000,
  BytesOfFiles1764000029000,
  OpenExternalResults1764000030000,
  RecordTotals1764000031000,
];
