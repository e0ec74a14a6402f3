import { foldRecordTotals } from '../../../src/records/store/record-totals.js';
import { deleteExpiredBatches } from '../../../src/batches/store/delete-batches.js';
import { findDueRollbacks } from '../../../src/batches/store/demand-rollback.js';
import { foldEndedTotals } from '../../../src/batches/store/ended-totals.js';
import { findUnendedRuns, findWaitingRuns, timeOutRuns } from '../../../src/batches/store/find-work.js';
import { discardAbandonedIntakes } from '../../../src/batches/store/insert-chunks.js';
import { settleRun } from '../../../src/batches/store/settle-run.js';
import { deleteIdleBuckets } from '../../../src/batches/store/take-tokens.js';
import { Config } from '../../../src/config.js';
import { forgetKeys } from '../../../src/idempotency/store/claim-key.js';
import { FileCleaner } from '../../../src/records/uploads/file-cleaner.js';
import { reportStuckRun } from '../../../src/waiting/report-stuck-run.js';
import { findStuckRuns } from '../../../src/waiting/store/find-stuck-runs.js';
import { followClock } from '../../../src/worker/follow-clock.js';
import type { Engine } from '../../support/engine.js';
import type { Recorder } from '../recorder.js';
import { SIZES } from '../seed.js';

const DAY_MS = 86_400_000;
const STUCK_MS = 60_000;
const CLOCK = { writtenMs: 7_000, leaseMs: 15_000 };

/** What every worker looks for about once a second, and removes once an hour. */
export async function sweeping(engine: Engine, recorder: Recorder): Promise<void> {
  const { database, service } = engine;
  const { pool } = database;
  await followClock(database, CLOCK);
  await findWaitingRuns(pool, { operations: ['noop', 'import'], limit: 20, ageMs: 60_000, except: ['19900'] });
  await findUnendedRuns(pool);
  for (const runId of await findStuckRuns(pool, STUCK_MS)) await reportStuckRun(database, service.app.get(Config), runId);
  await findDueRollbacks(pool, { operations: ['noop'], except: [], limit: 4 });
  await timeOutRuns(pool);
  await settleRun(database, String(SIZES.batches));

  await foldEndedTotals(pool);
  await foldRecordTotals(pool);
  await discardAbandonedIntakes(pool);
  await deleteIdleBuckets(pool);
  await forgetKeys(pool);
  await database.transaction((connection) => deleteExpiredBatches(connection, { olderThanMs: 27 * DAY_MS, dialect: 'native' }));
  await database.transaction((connection) => deleteExpiredBatches(connection, { olderThanMs: DAY_MS, dialect: 'documents' }));
  await database.transaction((connection) => deleteExpiredBatches(connection, { olderThanMs: 20 * DAY_MS, tenant: 'tenant-7' }));
  await pool.query("UPDATE clock SET seen_at = clock_timestamp() + interval '1 hour'");
  await recorder.during('a clock that was set back', () => followClock(database, CLOCK));
  await recorder.during('removal of files whose batches are gone', () => service.app.get(FileCleaner).clean());
}
