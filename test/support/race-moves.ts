import type { Type } from '@nestjs/common';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../src/batches/commands/clean-up-batches.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { EditItem } from '../../src/batches/commands/edit-item.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { RecordMetrics } from '../../src/batches/commands/record-metrics.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { SealBatch } from '../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { OUTCOME_STATUS } from '../../src/batches/entities/outcome.entity.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { timeOutRuns } from '../../src/batches/store/find-work.js';
import { insertMetrics } from '../../src/batches/store/insert-metrics.js';
import { recordProgress } from '../../src/batches/store/record-progress.js';
import { settleRun } from '../../src/batches/store/settle-run.js';
import { surrenderLane } from '../../src/batches/store/surrender-lane.js';
import { holdRun, putBackTokens, takeTokens } from '../../src/batches/store/take-tokens.js';
import type { Procedure } from '../../src/common/procedure.js';
import { toProblem } from '../../src/common/problem.js';
import { RestoreBatch } from '../../src/records/commands/restore-batch.command.js';
import { rollBackBatch } from '../../src/records/roll-back-batch.js';
import type { Engine } from './engine.js';
import { fenceOf, renewLeases } from './lanes.js';
import { hold, type Racer, recordAll, type State } from './race-scenes.js';

type Deed = (engine: Engine, racer: Racer) => Promise<boolean>;

/** Something that somebody does to a batch. */
export interface Move {
  /** Where it means something; elsewhere it is refused. */
  in: State[];
  /** @returns whether it was done; false: it was plainly refused, or there was nothing to do */
  do: Deed;
}

const OPEN: State[] = ['pending', 'running', 'paused', 'outside'];
/** Of what may be done to a batch that has ended: also where the batch may end meanwhile. */
const ENDED: State[] = ['running', 'paused', 'stopping', 'outside', 'ended'];
const ALL: State[] = ['pending', ...ENDED];

/** @returns false when a caller would be told a plain refusal. @throws what would be an answer of 500 or more */
async function attempt(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const { body } = toProblem(error);
    if (body.statusCode < 500) return false;
    throw new Error(`${body.statusCode} ${body.message} (${(error as Error).message})`, { cause: error });
  }
}

const command =
  <P extends Procedure>(type: Type<P>, input: () => object = () => ({})): Deed =>
  (engine, { id: batchId, caller }) =>
    attempt(() => engine.call(type, { batchId, ...input() } as never, caller));
const settings = (options: () => object) => command(UpdateBatch, () => ({ options: options() }));
const items = (onInvalid: 'refuse' | 'skip', list: unknown[]) => command(AddItems, () => ({ onInvalid, source: itemsFromArray(list) }));
const upTo = (most: number) => 1 + Math.floor(Math.random() * most);

export const COMMANDS: Record<string, Move> = {
  start: { in: ['pending'], do: command(StartBatch) },
  'start, left open': { in: ['pending'], do: command(StartBatch, () => ({ open: true })) },
  pause: { in: ['running', 'outside'], do: command(PauseBatch) },
  resume: { in: ['paused'], do: command(ResumeBatch) },
  cancel: { in: OPEN, do: command(CancelBatch) },
  seal: { in: OPEN, do: command(SealBatch) },
  'new concurrency': { in: OPEN, do: settings(() => ({ concurrency: upTo(160) })) },
  'new threshold': { in: OPEN, do: settings(() => ({ failureThreshold: { count: upTo(2) } })) },
  'new name': { in: ALL, do: command(UpdateBatch, () => ({ name: `name ${upTo(1e9)}` })) },
  'new items': { in: OPEN, do: items('refuse', ['x']) },
  'new items, one of them wrong': { in: OPEN, do: items('skip', ['x', 7n]) },
  'a result': { in: ['outside'], do: command(RecordExternalResult, () => ({ key: 'a', success: true })) },
  'the last result': { in: ['outside'], do: command(RecordExternalResult, () => ({ key: 'b', success: false, error: 'no', last: true })) },
  'retry of what failed': { in: ENDED, do: command(RetryItems) },
  'retry of what was not worked': { in: ENDED, do: command(RetryItems, () => ({ statuses: ['unprocessed'] })) },
  'new payload': { in: ENDED, do: command(EditItem, () => ({ key: '1', payload: { n: 2 } })) },
  restore: { in: ENDED, do: command(RestoreBatch) },
  delete: { in: ['pending', ...ENDED], do: command(DeleteBatch) },
  'clean-up': { in: ENDED, do: (engine, { caller }) => attempt(() => engine.call(CleanUpBatches, { olderThanDays: 0 }, caller)) },
  'new figures': { in: ALL, do: command(RecordMetrics, () => ({ metrics: { n: 1 } })) },
};

const FAILED = { status: OUTCOME_STATUS.failed, errorKind: 'permanent', error: 'x' };
const settle: Deed = (engine, { runId }) => settleRun(engine.database, runId).then(() => true);

/** A worker records all that it holds, and settles the run as it does after a turn. */
const finish =
  (outcome: object = {}): Deed =>
  async (engine, racer) => {
    const { held } = racer;
    racer.held = undefined;
    const isRecorded = held !== undefined && (await recordAll(engine, held, outcome));
    return isRecorded && settle(engine, racer);
  };

const takeAndPutBack: Deed = async (engine, { id: name, runId, held, caller: { tenant } }) => {
  const { pool } = engine.database;
  if (!held) return false;
  const buckets = [{ scope: 'batch' as const, name, perMinute: 100_000 }];
  await takeTokens(pool, { tenant, buckets, want: 3, unused: 0 });
  await holdRun(pool, runId, 1);
  await putBackTokens(pool, runId, { tenant, buckets, unused: 3 });
  return true;
};

const timeOut: Deed = async (engine, racer) => {
  const runs = await timeOutRuns(engine.database.pool);
  return runs.includes(racer.runId) && settle(engine, racer);
};

/** What workers do by themselves. */
export const WORK: Record<string, Move> = {
  'the last item succeeds': { in: ['running', 'paused', 'stopping'], do: finish() },
  'the last item fails': { in: ['running', 'paused', 'stopping'], do: finish(FAILED) },
  'a sweep ends it': { in: ['running', 'stopping'], do: settle },
  'a sweep times it out': { in: ['running'], do: timeOut },
  'its lane is given back unsure': {
    in: ['running', 'paused'],
    do: ({ database }, { held }) => (held ? surrenderLane(database, fenceOf(held.lane)).then(() => true) : Promise.resolve(false)),
  },
  'a lane is claimed': { in: ['running'], do: (engine, racer) => hold(engine, racer).then(Boolean) },
  'a heartbeat': {
    in: ['running', 'paused', 'stopping'],
    do: ({ database }, { held }) =>
      held ? renewLeases(database.pool, [fenceOf(held.lane)], 600_000).then(({ length }) => length > 0) : Promise.resolve(false),
  },
  'progress is told': {
    in: ['running'],
    do: ({ database }, { runId }) =>
      database.transaction((connection) => recordProgress(connection, [runId])).then(({ length }) => length > 0),
  },
  'figures are sampled': {
    in: ENDED,
    do: ({ database }, { id: batchId }) =>
      database.transaction((connection) => insertMetrics(connection, 'worker', [{ batchId, data: { n: 1 } }])).then(() => true),
  },
  'tokens are taken and put back': { in: ['running'], do: takeAndPutBack },
  'a rollback goes on': { in: ['ended'], do: ({ database }, { id }) => rollBackBatch(database, id).then(Boolean) },
};

const CURRENT = `
  SELECT b.run_id AS "runId", r.status, r.sealed, b.external,
    r.status IN ('running', 'paused') AND r.sealed AND r.total > 0
      AND (SELECT sum(succeeded + failed + skipped) FROM lane WHERE run_id = r.id) >= r.total AS through
  FROM batch b JOIN run r ON r.id = b.run_id WHERE b.id = $1`;

interface Current {
  runId: string;
  status: string;
  sealed: boolean;
  external: boolean;
  /** Every item has an outcome, and yet it has not ended. */
  through: boolean;
}

/** Its current run; undefined when it is gone. */
export async function currentOf(engine: Engine, { id }: Racer): Promise<Current | undefined> {
  return (await engine.sql<Current>(CURRENT, [id]))[0];
}

/** Does whatever is left until the batch has ended. @throws Error when it does not end */
export async function driveToEnd(engine: Engine, racer: Racer): Promise<void> {
  let current: Current | undefined;
  for (let step = 0; step < 12; step += 1) {
    current = await currentOf(engine, racer);
    if (!current || ['completed', 'failed', 'cancelled', 'timed_out'].includes(current.status)) return;
    const { runId, status, sealed, external } = current;
    const now = { ...racer, runId };
    // Workers that held a lane are gone by now.
    const isHeld = `run_id = $1 AND lease_until > '-infinity'`;
    await engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 s' WHERE ${isHeld}`, [runId]);
    if (status === 'pending' && !external) await COMMANDS.start!.do(engine, now);
    else if (status === 'paused') await COMMANDS.resume!.do(engine, now);
    else if (!sealed) await COMMANDS.seal!.do(engine, now);
    else if (external) await COMMANDS['the last result']!.do(engine, now);
    else await workOff(engine, now);
    await settle(engine, now);
  }
  const [standing] = await engine.sql(STANDING, [current!.runId]);
  throw new Error(`it does not end: ${JSON.stringify(standing)}`);
}

const STANDING = `
  SELECT r.*, (SELECT json_agg(l) FROM (SELECT no, width, fence, lease_until, succeeded, failed, skipped FROM lane WHERE run_id = r.id) l) AS lanes,
    (SELECT json_agg(c) FROM (SELECT no, size, state, lane, settled, crashes, intake FROM chunk WHERE run_id = r.id) c) AS chunks,
    (SELECT json_agg(t) FROM (SELECT seq, due_at FROM retry WHERE run_id = r.id) t) AS retries,
    (SELECT json_agg(e) FROM (SELECT action, details FROM audit_entry WHERE batch_id = r.batch_id ORDER BY id) e) AS audit
  FROM run r WHERE r.id = $1`;

async function workOff(engine: Engine, racer: Racer): Promise<void> {
  await engine.sql(`UPDATE run SET held_until = '-infinity' WHERE id = $1 AND status = 'running'`, [racer.runId]);
  for (let held = await hold(engine, racer, 10); held; held = await hold(engine, racer, 10)) {
    await recordAll(engine, held);
    if (held.chunks.length === 0) return;
  }
}
