import { ConflictException, Controller, Get, Injectable, Module, Param, UseFilters } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CqrsModule, EventBus, EventsHandler, type IEventHandler, QueryBus } from '@nestjs/cqrs';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import {
  AppError,
  BATCH_EVENTS,
  BatchCompleted,
  type BatchEvent,
  BatchProcessingFacade,
  BatchProcessor,
  BatchwiseModule,
  type ChunkContext,
  CreateBatch,
  DocumentProcessingQueueService,
  GetBatch,
  GetRecord,
  ImportRecords,
  type Item,
  ItemHandler,
  type ItemHandlerClass,
  type ItemOutcome,
  ProblemFilter,
  Procedures,
  ProcessingJobType,
  RecordStore,
  RestoreBatch,
  StoresModule,
  toProcedure,
} from '../../src/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

const CALLER = { tenant: 'acme' };

@Injectable()
@EventsHandler(...BATCH_EVENTS)
class Journal implements IEventHandler<BatchEvent> {
  readonly entries: { batchId: string; type: string }[] = [];

  handle({ record: { batchId, type } }: BatchEvent): void {
    this.entries.push({ batchId, type });
  }
}

/** A service of the application that works with CQRS's buses alone. */
@Injectable()
class Orders {
  constructor(
    readonly commands: CommandBus,
    readonly queries: QueryBus,
    readonly events: EventBus,
  ) {}
}

/** Work of the application that writes records. */
@ItemHandler('stamp')
class StampItemHandler implements ItemHandlerClass {
  constructor(private readonly records: RecordStore) {}

  async runChunk(items: Item[], context: ChunkContext): Promise<ItemOutcome[]> {
    const stamped = items.map(({ key }) => ({ key, fields: { stamped: true } }));
    await this.records.upsert({ tenant: context.tenant, collection: 'stamps' }, stamped, { batch: context });
    return items.map(() => ({}));
  }
}

@Controller('hello')
class HelloController {
  constructor(
    readonly dataSource: DataSource,
    readonly batches: BatchProcessingFacade,
    readonly procedures: Procedures,
  ) {}

  @Get()
  hello(): string {
    return 'hello';
  }

  @Get('batch/:id')
  batch(@Param('id') batchId: string) {
    return this.procedures.call(GetBatch, { batchId }, CALLER);
  }

  @Get('busy')
  busy(): never {
    throw new AppError('RATE_LIMITED', 'too many greetings', { details: { retryAfterMs: 1_500 } });
  }

  @Get('own-error')
  ownError(): never {
    throw new ConflictException('greeted already');
  }

  @Get('own-error/in-one-shape')
  @UseFilters(ProblemFilter)
  ownErrorInOneShape(): never {
    throw new ConflictException('greeted already');
  }
}

describe('an application with routes, buses and a database of its own', () => {
  let [engineDatabase, ownDatabase]: [TestDatabase?, TestDatabase?] = [];
  let dataDir: string;
  let app: NestFastifyApplication;
  let url: string;

  beforeAll(async () => {
    [engineDatabase, ownDatabase] = [await createTestDatabase(), await createTestDatabase()];
    dataDir = await mkdtemp(join(tmpdir(), 'batchwise-host-'));

    @Module({
      imports: [
        BatchwiseModule.forRoot({ DATA_DIR: dataDir, DATABASE_URL: engineDatabase.url, SWEEP_MS: '200' }),
        TypeOrmModule.forRoot({ type: 'postgres', url: ownDatabase.url, installExtensions: false }),
        CqrsModule.forRoot(),
        StoresModule,
      ],
      controllers: [HelloController],
      providers: [Journal, Orders, StampItemHandler],
    })
    class HostModule {}

    app = await NestFactory.create<NestFastifyApplication>(HostModule, new FastifyAdapter(), { logger: ['error'] });
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });

  afterAll(async () => {
    await engineDatabase?.drop();
    await ownDatabase?.drop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const procedures = () => app.get(Procedures);
  const ended = (batchId: string) =>
    eventually(
      () => procedures().call(GetBatch, { batchId }, CALLER),
      ({ endedAt }) => endedAt !== null,
    );

  it('keeps its own routes, unguarded, and gets none of the service', async () => {
    expect((await fetch(`${url}/hello`)).status).toBe(200);
    for (const path of [
      'api/batches',
      'api/batch/stats',
      'api/records/x',
      'api/files',
      'health/live',
      'metrics',
      'docs',
      'trpc/batch.stats',
    ]) {
      expect((await fetch(`${url}/${path}`)).status).toBe(404);
    }
  });

  it("answers the engine's errors in its own routes with their status and the one error body, and its own errors as it did", async () => {
    const get = async (path: string) => {
      const reply = await fetch(`${url}/hello/${path}`);
      return { status: reply.status, retryAfter: reply.headers.get('retry-after'), body: (await reply.json()) as object };
    };
    const unknown = await get('batch/5b1a4f0e-3f53-4a4f-9c55-000000000000');
    expect(unknown).toMatchObject({ status: 404, body: { success: false, statusCode: 404, details: { errors: [] } } });
    expect(await get('busy')).toMatchObject({ status: 429, retryAfter: '2', body: { error: 'too many greetings', statusCode: 429 } });
    expect(await get('own-error')).toMatchObject({ status: 409, body: { message: 'greeted already', error: 'Conflict' } });
    const inOneShape = await get('own-error/in-one-shape');
    expect(inOneShape).toMatchObject({ status: 409, body: { success: false, error: 'greeted already', details: { errors: [] } } });
  });

  it('keeps its own database', async () => {
    const { dataSource } = app.get(HelloController);
    const [{ name }] = await dataSource.query<[{ name: string }]>('SELECT current_database() AS name');
    expect(ownDatabase!.url).toContain(name);
    expect(await dataSource.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
  });

  it('has its batches worked and hears every event once', async () => {
    const batch = await procedures().call(CreateBatch, { operation: 'noop', items: ['a', 'b'] }, CALLER);
    expect(await ended(batch.id)).toMatchObject({ status: 'completed', counts: { succeeded: 2 } });
    const types = () =>
      app.get(Journal).entries.flatMap(({ batchId, type }) => (batchId === batch.id && type !== 'batch.progress' ? [type] : []));
    await eventually(types, (heard) => heard.includes('batch.completed'));
    expect(types()).toEqual(['batch.created', 'batch.started', 'batch.completed']);
  });

  it('uses records and the documented services', async () => {
    const { batch } = await procedures().call(
      ImportRecords,
      { collection: 'letters', keyField: 'no', rows: [{ no: '1', text: 'hi' }] },
      CALLER,
    );
    await ended(batch.id);
    const record = await procedures().call(GetRecord, { collection: 'letters', key: '1' }, CALLER);
    expect(record.fields).toMatchObject({ text: 'hi' });
    const { id } = await app.get(HelloController).batches.createBatch({ operation: 'report', name: 'Mine', total_items: 1 });
    expect(await app.get(HelloController).batches.getBatch(id)).toMatchObject({ name: 'Mine', status: 'pending' });
    const documents = app.get(DocumentProcessingQueueService, { strict: false });
    const jobId = await documents.createJob(['unknown'], ProcessingJobType.QUALITY_CHECK);
    await eventually(
      () => documents.getJobStatus(jobId),
      (job) => job?.status === 'FAILED',
    );
    const images = new BatchProcessor('paid');
    expect(await images.getJobProgress(await images.startBatch(['unknown'], 1))).toMatchObject({ progress: { total: 1 } });
  });

  it('uses the command bus, the query bus and the event bus, typed and checked', async () => {
    const { commands, queries, events } = app.get(Orders);
    const ends: string[] = [];
    const heard = events.subscribe((event) => event instanceof BatchCompleted && ends.push(event.record.batchId));
    const batch = await commands.execute(toProcedure(CreateBatch, { operation: 'noop', items: ['a'] }, CALLER));
    const id: string = batch.id;
    await eventually(
      () => ends,
      (ids) => ids.includes(id),
    );
    heard.unsubscribe();
    const { counts } = await queries.execute(toProcedure(GetBatch, { batchId: id }, CALLER));
    expect(counts.succeeded).toBe(1);
    const wrong = { operation: 'noop', options: { timeout: -4 } };
    expect(() => toProcedure(CreateBatch, wrong, CALLER)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });

  it('has item handlers of its own that write records, and what they wrote can be taken back', async () => {
    const input = { operation: 'stamp', items: ['a'], options: { backupStrategy: 'auto' as const } };
    const { id: batchId } = await procedures().call(CreateBatch, input, CALLER);
    expect(await ended(batchId)).toMatchObject({ status: 'completed' });
    const place = { collection: 'stamps', key: 'a' };
    expect((await procedures().call(GetRecord, place, CALLER)).fields).toEqual({ stamped: true });
    expect(await procedures().call(RestoreBatch, { batchId }, CALLER)).toMatchObject({ removed: 1 });
    await expect(procedures().call(GetRecord, place, CALLER)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('input is checked as everywhere', async () => {
    const wrong = procedures().call(CreateBatch, { operation: 5 as unknown as string }, CALLER);
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path: 'operation' }] } });
  });

  it('when it closes, items in flight are finished and recorded first', async () => {
    const items = [{ key: 'a', payload: { durationMs: 1_500 } }];
    const batch = await procedures().call(CreateBatch, { operation: 'noop', items }, CALLER);
    await eventually(
      () => procedures().call(GetBatch, { batchId: batch.id }, CALLER),
      ({ counts }) => counts.running === 1,
    );
    await app.close();
    const own = new DataSource({ type: 'postgres', url: engineDatabase!.url });
    await own.initialize();
    expect(await own.query('SELECT o.key FROM outcome o JOIN batch b ON b.run_id = o.run_id WHERE b.id = $1', [batch.id])).toEqual([
      { key: 'a' },
    ]);
    await own.destroy();
  });
});

it.each<[object, string]>([
  [{ PORT: '80' }, 'PORT'],
  [{ API_KEYS: 'a:0123456789abcdef' }, 'API_KEYS'],
  [{ LEASE_MS: 'long' }, 'LEASE_MS'],
  [{ ROLE: 'worker' }, 'DATABASE_URL'],
])('wrong settings are refused by name: %j', (settings, name) => {
  expect(() => BatchwiseModule.forRoot(settings)).toThrow(name);
});
