/** Tables that grow with what a service is asked to do, or with how long it keeps it. */
export const GROWING_TABLES = [
  'audit_entry',
  'batch',
  'batch_event',
  'batch_metric',
  'chunk',
  'chunk_items',
  'circuit_breaker',
  'compensation',
  'external_result',
  'file',
  'idempotency_key',
  'item_edit',
  'lane',
  'outcome',
  'rate_bucket',
  'record',
  'record_backup',
  'retry',
  'rollback_turn',
  'run',
  'upload',
];

/** Rows of `ended_total` and `record_total` are added up every half minute. */
export const SMALL_TABLES = ['clock', 'ended_total', 'migrations', 'record_total', 'tenant_files', 'worker'];

const RUN = { name: 'run', columns: ['run_id'] };

/** Whose rows are many in a table: one run may have millions of chunks and outcomes. */
export const OWNERS: Record<string, { name: string; columns: string[] }> = {
  chunk: RUN,
  chunk_items: RUN,
  compensation: RUN,
  external_result: RUN,
  outcome: RUN,
  record: { name: 'collection', columns: ['tenant', 'collection'] },
  record_backup: { name: 'batch', columns: ['batch_id'] },
  retry: RUN,
};

/** Partial indexes that may be read from one end to the other. */
export const FEW_ROWS = {
  run_open: 'runs that have not ended',
  chunk_staged: 'chunks of requests that are still coming in, or broke off within the last day',
  batch_rollback_due: 'batches that are being rolled back',
};

const OF_BACKUP = 'all of a batch in record_backup';
const OF_COLLECTION = 'all of a collection in record';

/** Reads that are known, and why they may be. */
export const KNOWN_READS: Record<string, string> = {
  ...because('once an hour', {
    'delete-idle-buckets': ['all of rate_bucket'],
    'find-expired-batches': ['all of batch', 'all of run'],
    'find-orphaned-files': ['all of batch', 'all of file', 'all of upload'],
    'forget-uploads': ['all of file', 'all of upload'],
  }),
  ...because('once, when the clock of the database was set back', {
    'move-times-of-circuit-breaker': ['all of circuit_breaker'],
    'move-times-of-idempotency-key': ['all of idempotency_key'],
    'move-times-of-lane': ['all of lane'],
    'move-times-of-rate-bucket': ['all of rate_bucket'],
    'move-times-of-retry': ['all of retry'],
    'move-times-of-rollback-turn': ['all of rollback_turn'],
    'move-times-of-upload': ['all of upload'],
  }),
  ...because('deletes just that', {
    'delete-records': [OF_COLLECTION],
    'delete-batches': [...ofRun('chunk', 'chunk_items', 'compensation', 'external_result', 'outcome', 'retry'), OF_BACKUP],
  }),
  ...because('counts all of it, or looks for what failed or was left alone, when somebody asks', {
    'count-compensations': ofRun('compensation'),
    'count-errors-of-undone-items': ofRun('retry'),
    'count-undone-items': ofRun('retry'),
    'finish-rollback': [...ofRun('compensation'), OF_BACKUP],
    'look-again-at-left-alone': [OF_BACKUP],
    'select-failed-compensations': ofRun('compensation'),
    'try-compensations-again': ofRun('compensation'),
  }),
  ...because('counts what matches, for those that ask for a count', {
    'page of records: a field above (2)': [OF_COLLECTION],
    'page of records: a text within (2)': [OF_COLLECTION],
    'page of records: no filter (2)': [OF_COLLECTION],
    'results of two runs: with history (2)': ofRun('outcome'),
  }),
  ...because('at most ten thousand', { 'exact-percentiles': ofRun('outcome'), 'select-later-retries': ofRun('retry') }),
  ...because('all of a batch is repeated, or all that waits for a provider woken', {
    'mark-undone-keys': ofRun('external_result'),
    'wake-items': ofRun('retry'),
  }),
  ...because('ends with the page, and passes over what does not count: that is all of it only when nothing counts', {
    'first-outputs-of-batches': ofRun('outcome'),
    'first-undone-items-of-batches': ofRun('retry'),
    'select-external-items-that-ended': ofRun('outcome'),
    'select-undone-items': ofRun('retry'),
    'results of one run: no filter': ofRun('outcome'),
  }),
  ...because('of a run that has nothing left but items that wait for another try', {
    'find-stuck-runs': ofRun('retry'),
    'lock-stuck-run': ofRun('retry'),
  }),
  ...because('fewer items wait than a lookup of each on the page would cost', { 'select-item-states': ofRun('retry') }),
};

function because(why: string, reads: Record<string, string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(reads).flatMap(([name, known]) => known.map((read) => [`${name}: ${read}`, why])));
}

function ofRun(...tables: string[]): string[] {
  return tables.map((table) => `all of a run in ${table}`);
}
