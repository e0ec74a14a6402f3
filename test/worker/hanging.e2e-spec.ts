import type { BatchView } from '../../src/batches/batch.view.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { ListAudit } from '../../src/batches/queries/list-audit.query.js';
import { HangingCalls } from '../../src/common/hanging-calls.js';
import { ProcessRecycler } from '../../src/common/process-recycler.js';
import { RestoreBatch } from '../../src/records/commands/restore-batch.command.js';
import { GetWaiting } from '../../src/waiting/queries/get-waiting.query.js';
import { Engine, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

const PATIENCE_MS = 60_000;
/** A try is over soon, and its call hangs two seconds later. */
const OPTIONS = { timeout: 50, retryAttempts: 0, batchSize: 1 };

let engine: Engine;
/** Opened, every call that hangs ends. */
let hold: Gate;

const start = (env: Record<string, string> = {}): Promise<Engine> => Engine.start(env);
const hanging = () => engine.service.app.get(HangingCalls, { strict: false });
const until = ({ id }: { id: string }, wanted: (batch: BatchView) => boolean) => eventually(() => engine.get(id), wanted, PATIENCE_MS);
const gatesOf = ({ id }: { id: string }) => engine.call(GetWaiting, { batchId: id }).then(({ gates }) => gates);
/** Of a batch, deaf to its signal. */
const deaf = () => hold.opened;

beforeEach(() => (hold = new Gate()));
afterEach(async () => {
  hold.open();
  await assertInvariants(engine.database);
  await engine.close();
});

test(
  'a batch of whose calls three hang at the same time is paused with the reason, and others go on; resumed, the next that hangs pauses it again',
  async () => {
    engine = await start();
    const batch = await engine.run(deaf, { items: keys(40), options: { ...OPTIONS, concurrency: 1 } });
    const paused = await until(batch, ({ status }) => status === 'paused');
    expect(paused.reason).toBe(
      '3 calls for items of this batch ignored their abort signal, and still run: they have gone on for two seconds after their time limit of 50 ms',
    );
    expect(paused.counts).toMatchObject({ failed: 3 });
    const [entry] = (await engine.call(ListAudit, { batchId: batch.id })).rows;
    expect(entry).toMatchObject({ by: 'service', action: 'pause', details: { rule: 'hanging-calls', reason: paused.reason } });
    expect(await gatesOf(batch)).toMatchObject([
      { gate: 'handler-hangs', by: 'service', message: `${paused.reason}; mend it, then resume the batch to go on` },
    ]);
    const other = await engine.run(() => undefined, { items: keys(100) });
    expect(await engine.ended(other)).toMatchObject({ status: 'completed' });

    await engine.call(ResumeBatch, { batchId: batch.id });
    const again = await until(batch, ({ status, counts }) => status === 'paused' && counts.failed > 3);
    expect(again.reason).toMatch(/^4 calls for items of this batch ignored their abort signal/);

    // Mended: what hung has ended, and nothing else does.
    hold.open();
    await engine.call(ResumeBatch, { batchId: batch.id });
    const { status, counts } = await engine.ended(batch, PATIENCE_MS);
    expect([status, counts.succeeded + counts.failed, counts.failed < 10]).toEqual(['completed', 40, true]);
    expect(engine.service.app.get(ProcessRecycler).fault).toBeUndefined();
  },
  PATIENCE_MS,
);

test(
  'so is one whose only item hangs each time that it is tried',
  async () => {
    engine = await start();
    const retries = { retryAttempts: 10, retryDelay: 0, retryJitter: false };
    const batch = await engine.run(deaf, { items: ['a'], options: { ...OPTIONS, ...retries } });
    // Its next try waits for a resume.
    await until(batch, ({ status, counts }) => status === 'paused' && counts.pending === 1);
    expect((await engine.get(batch.id)).counts).toMatchObject({ failed: 0 });
  },
  PATIENCE_MS,
);

test(
  'a hundred that hang at the same moment cost their batch, and its operation in this process; not the process',
  async () => {
    engine = await start();
    const batch = await engine.run(deaf, { items: keys(150), options: { ...OPTIONS, concurrency: 100 } });
    const paused = await until(batch, ({ status }) => status === 'paused');
    await eventually(() => hanging().of('scripted'), (calls) => calls >= 100); // prettier-ignore
    expect((await until(batch, ({ counts }) => counts.running === 0)).counts.failed).toBeLessThan(150);
    expect(paused.reason).toMatch(/ignored their abort signal/);
    expect(engine.service.app.get(ProcessRecycler).fault).toBeUndefined();
    expect((await fetch(`${engine.service.url}/health/ready`)).status).toBe(200);
    expect(await engine.ended(await engine.create({ items: keys(1_000) }))).toMatchObject({ status: 'completed' });
  },
  PATIENCE_MS,
);

test(
  'while too many calls of an operation hang no item of it starts in this process, which says so; others do, and it goes on when they end',
  async () => {
    engine = await start({ HANGING_CALLS_OF_BATCH: '1000', HANGING_CALLS_OF_OPERATION: '4' });
    const started: string[] = [];
    const bad = await engine.run(deaf, { items: keys(60), options: { ...OPTIONS, concurrency: 4 } });
    await eventually(() => hanging().areTooManyOf('scripted'), Boolean, PATIENCE_MS);
    const waiting = await engine.run(({ key }) => void started.push(key), { items: keys(3) });
    await eventually(
      () => gatesOf(waiting),
      (gates) =>
        gates.some(
          ({ gate, message }) =>
            gate === 'handler-hangs' &&
            message.startsWith('calls of the operation scripted ignore their abort signals: 1 of the 1 workers that know it start no more'),
        ),
      PATIENCE_MS,
    );
    const metrics = await (await fetch(`${engine.service.url}/metrics`)).text();
    expect(metrics).toMatch(/^batchwise_hanging_calls\{operation="scripted"\} [4-9]\d*$/m);
    expect(await engine.ended(await engine.create({ items: keys(100) }))).toMatchObject({ status: 'completed' });
    expect(started).toEqual([]);
    expect((await engine.get(bad.id)).status).toBe('running');

    hold.open();
    expect(await engine.ended(waiting, PATIENCE_MS)).toMatchObject({ status: 'completed' });
    expect(await engine.ended(bad, PATIENCE_MS)).toMatchObject({ counts: { total: 60 } });
    expect(hanging().of('scripted')).toBe(0);
  },
  PATIENCE_MS,
);

test(
  'a compensation that hangs counts for its operation and for the process, which is not ready when there are too many',
  async () => {
    engine = await start({ HANGING_CALLS: '1', RECYCLE_AFTER_MS: '600000' });
    const does = async ({ key }: { key: string }) => ({ compensation: key });
    const batch = await engine.runUndoable(does, deaf, { items: keys(2), options: OPTIONS });
    await engine.ended(batch);
    await engine.call(RestoreBatch, { batchId: batch.id });
    await eventually(
      () => engine.service.app.get(ProcessRecycler).fault,
      (fault) => fault === '2 calls of item handlers ignore their abort signals, and no more lanes are taken',
      PATIENCE_MS,
    );
    expect((await fetch(`${engine.service.url}/health/ready`)).status).toBe(503);
    hold.open();
    await eventually(
      () => engine.service.app.get(ProcessRecycler).fault,
      (fault) => fault === undefined,
    );
  },
  PATIENCE_MS,
);
