import { CountItems } from '../../../src/batches/queries/count-items.query.js';
import { FindOutputs } from '../../../src/batches/queries/find-outputs.query.js';
import { GetBatch } from '../../../src/batches/queries/get-batch.query.js';
import { GetBatchAnalytics } from '../../../src/batches/queries/get-batch-analytics.query.js';
import { GetBatchStats } from '../../../src/batches/queries/get-batch-stats.query.js';
import { GetBatchTotals } from '../../../src/batches/queries/get-batch-totals.query.js';
import { GetItemHistory } from '../../../src/batches/queries/get-item-history.query.js';
import { GetRollback } from '../../../src/batches/queries/get-rollback.query.js';
import { ListAudit } from '../../../src/batches/queries/list-audit.query.js';
import { ListBatches } from '../../../src/batches/queries/list-batches.query.js';
import { ListEvents } from '../../../src/batches/queries/list-events.query.js';
import { ListItems } from '../../../src/batches/queries/list-items.query.js';
import { ListMetrics } from '../../../src/batches/queries/list-metrics.query.js';
import { ListOutcomes } from '../../../src/batches/queries/list-outcomes.query.js';
import { PreviewBatches } from '../../../src/batches/queries/preview-batches.query.js';
import { GetBreaker } from '../../../src/breakers/queries/get-breaker.query.js';
import { ListBreakers } from '../../../src/breakers/queries/list-breakers.query.js';
import { GetItemWaiting } from '../../../src/waiting/queries/get-item-waiting.query.js';
import { GetWaiting } from '../../../src/waiting/queries/get-waiting.query.js';
import type { InputOf } from '../../../src/common/procedure.js';
import type { Engine } from '../../support/engine.js';
import type { Recorder } from '../recorder.js';
import { batchId, CANCELLED, ENDED, EXTERNAL, LARGE, PAUSED, REPEATED, TO_UNDO } from '../seed.js';

/** What callers read. */
export async function reading(engine: Engine, recorder: Recorder): Promise<void> {
  await readLists(engine, recorder);
  await readOutcomes(engine, recorder);
  await readBatch(engine);
  await readItems(engine);
  await readFigures(engine);
}

async function readLists(engine: Engine, recorder: Recorder): Promise<void> {
  const filters: Record<string, InputOf<ListBatches>> = {
    'no filter': {},
    dialect: { dialect: 'erp' },
    operation: { operation: 'noop' },
    'active statuses': { status: ['running', 'paused'] },
    'an ended status': { status: ['failed'] },
    'newer than': { createdAfter: new Date(Date.now() - 86_400_000).toISOString() },
    'older than': { createdBefore: new Date(Date.now() - 86_400_000).toISOString() },
    creator: { createdBy: 'user-4' },
    'part of a name': { name: 'number 77' },
    'a late page': { offset: 50 },
  };
  for (const [name, filter] of Object.entries(filters)) {
    await recorder.during(`list of batches: ${name}`, () => engine.call(ListBatches, filter));
  }
}

async function readOutcomes(engine: Engine, recorder: Recorder): Promise<void> {
  const filters = {
    'no filter': {},
    'a status': { status: 'failed' },
    'a key': { key: 'item-17' },
    'with history': { history: true },
  } as const;
  for (const [name, filter] of Object.entries(filters)) {
    await recorder.during(`results of one run: ${name}`, () => engine.call(ListOutcomes, { batchId: batchId(LARGE), ...filter }));
    await recorder.during(`results of two runs: ${name}`, () => engine.call(ListOutcomes, { batchId: batchId(REPEATED), ...filter }));
  }
  await engine.call(ListOutcomes, { batchId: batchId(CANCELLED), status: 'cancelled' });
  await engine.call(GetBatchAnalytics, { batchId: batchId(CANCELLED) });
  await recorder.during('results of one run: a late page', () => engine.call(ListOutcomes, { batchId: batchId(LARGE), offset: 20_000 }));
}

async function readBatch(engine: Engine): Promise<void> {
  await engine.call(GetBatch, { batchId: batchId(LARGE) });
  await engine.call(ListEvents, { batchId: batchId(ENDED), afterSeq: 2 });
  await engine.call(ListAudit, { batchId: batchId(ENDED) });
  await engine.call(ListMetrics, { batchId: batchId(LARGE) });
  await engine.call(ListMetrics, { batchId: batchId(LARGE), source: 'worker' });
  await engine.call(GetRollback, { batchId: batchId(ENDED) });
  await engine.call(GetRollback, { batchId: batchId(TO_UNDO) });
  await engine.call(GetWaiting, { batchId: batchId(LARGE) });
  await engine.call(GetWaiting, { batchId: batchId(PAUSED) });
  await engine.call(PreviewBatches, {
    batchIds: [LARGE, ENDED, REPEATED].map(batchId),
    items: 10,
    failures: 10,
    outputs: 10,
    stacks: false,
  });
}

async function readItems(engine: Engine): Promise<void> {
  await engine.call(ListItems, { batchId: batchId(LARGE) });
  await engine.call(ListItems, { batchId: batchId(LARGE), offset: 60_000 });
  await engine.call(ListItems, { batchId: batchId(LARGE), fromSeq: 60_000 });
  await engine.call(ListItems, { batchId: batchId(REPEATED), offset: 5_000 });
  await engine.call(ListItems, { batchId: batchId(EXTERNAL) });
  for (const status of ['pending', 'failed'] as const) await engine.call(ListItems, { batchId: batchId(EXTERNAL), status });
  await engine.call(GetItemHistory, { batchId: batchId(LARGE), seq: 4_711 });
  await engine.call(GetItemHistory, { batchId: batchId(LARGE), key: 'item-4711' });
  await engine.call(GetItemWaiting, { batchId: batchId(LARGE), seq: 60_000 });
  await engine.call(GetItemWaiting, { batchId: batchId(LARGE), seq: 50_010 });
  await engine.call(FindOutputs, { batchId: batchId(LARGE), seqs: [1, 2, 3] });
}

async function readFigures(engine: Engine): Promise<void> {
  await engine.call(GetBatchAnalytics, { batchId: batchId(REPEATED) });
  await engine.call(GetBatchStats, {});
  await engine.call(GetBatchStats, { dialect: 'erp' });
  await engine.call(GetBatchTotals, {});
  await engine.call(GetBatchTotals, { dialect: 'erp' });
  await engine.call(CountItems, {});
  await engine.call(CountItems, { dialect: 'erp' });
  await engine.call(ListBreakers, {});
  await engine.call(GetBreaker, { provider: 'openai' });
}
