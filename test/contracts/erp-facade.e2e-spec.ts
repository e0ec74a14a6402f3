import { BatchProcessingFacade } from '../../src/dialects/erp/batch-processing.facade.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { ISO_TIME } from './api.js';

/** The ERP module's sample of its service in the same process, step by step. */
describe('the batch processing service in this process', () => {
  let service: TestService;
  let batchProcessingService: BatchProcessingFacade;

  beforeAll(async () => {
    service = await startTestService();
    batchProcessingService = service.app.get(BatchProcessingFacade);
  });

  afterAll(() => service.close());

  test('does what the document shows', async () => {
    const batch = await batchProcessingService.createBatch({
      operation: 'annotate',
      filters: { annotation_status: 'pending', category: 'product' },
      options: { model: 'gpt-4', batchSize: 50, retryAttempts: 3 },
      name: 'Product annotation batch',
    });
    expect(batch).toMatchObject({
      id: expect.stringMatching(/^batch_\d+_/),
      status: 'pending',
      progress: 0,
      name: 'Product annotation batch',
    });

    expect((await batchProcessingService.getBatch(batch.id))?.progress).toBe(0);

    const result = { description: 'Product listing page', tags: ['ecommerce', 'product'] };
    await batchProcessingService.recordResult(batch.id, 'node_123', true, result, undefined, 0, 1250, 0.95);
    const currentBatch = await batchProcessingService.getBatch(batch.id);
    expect(currentBatch).toMatchObject({ status: 'running', processed_items: 1, started_at: expect.stringMatching(ISO_TIME) });

    const viz = await batchProcessingService.getBatchVisualization(batch.id);
    expect(viz?.overview.successRate).toBe(1);
    expect(viz?.performanceMetrics.averageDuration).toBe(1250);
    expect(viz?.qualityDistribution).toMatchObject([{ range: '0.8-1.0', count: 1 }]);

    expect(await batchProcessingService.cancelBatch(batch.id)).toBe(true);
    expect((await batchProcessingService.getBatch(batch.id))?.status).toBe('cancelled');
    expect(await batchProcessingService.cancelBatch(batch.id)).toBe(false);

    expect(await batchProcessingService.cleanupOldBatches(30)).toBe(0);
    expect(await batchProcessingService.cleanupOldBatches(0)).toBe(1);
    expect(await batchProcessingService.getBatch(batch.id)).toBeUndefined();
  });

  test('takes the settings of its second sample', async () => {
    const customBatch = await batchProcessingService.createBatch({
      operation: 'annotate',
      filters: { status: 'pending' },
      options: { batchSize: 100, retryAttempts: 5, timeout: 60000, priority: 'high', notifyOnComplete: true },
    });
    const { rows } = await service.database.pool.query<{ options: object }>('SELECT options FROM batch WHERE id = $1', [customBatch.id]);
    expect(rows[0]?.options).toMatchObject({ batchSize: 100, retryAttempts: 5, timeout: 60000, priority: 'high', notifyOnComplete: true });
  });

  test('a batch with a total is completed by its last result, and a repeated one changes nothing', async () => {
    const { id } = await batchProcessingService.createBatch({ operation: 'report', total_items: 2 });
    await batchProcessingService.recordResult(id, 'a', true);
    await batchProcessingService.recordResult(id, 'a', false, undefined, 'too late');
    expect(await batchProcessingService.getBatch(id)).toMatchObject({ status: 'running', progress: 50, failed_items: 0 });
    await batchProcessingService.recordResult(id, 'b', false, undefined, 'Timeout', 3);
    expect(await batchProcessingService.getBatch(id)).toMatchObject({
      status: 'completed',
      progress: 100,
      processed_items: 2,
      failed_items: 1,
    });
    await expect(batchProcessingService.recordResult(id, 'c', true)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('with externalResults: false the operation is worked here', async () => {
    const { id } = await batchProcessingService.createBatch({
      operation: 'noop',
      filters: { count: 3 },
      options: { externalResults: false },
    });
    const done = await eventually(
      () => batchProcessingService.getBatch(id),
      (batch) => batch?.status === 'completed',
    );
    expect(done).toMatchObject({ total_items: 3, processed_items: 3, progress: 100 });
  });

  test('unknown ids are undefined, null and false, never an exception', async () => {
    expect(await batchProcessingService.getBatch('batch_0_none')).toBeUndefined();
    expect(await batchProcessingService.getBatchVisualization('batch_0_none')).toBeNull();
    expect(await batchProcessingService.cancelBatch('batch_0_none')).toBe(false);
    await expect(batchProcessingService.recordResult('batch_0_none', 'a', true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('wrong input is refused with its field', async () => {
    const wrong = { operation: 'annotate', options: { priority: 'urgent' } };
    await expect(batchProcessingService.createBatch(wrong)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { errors: [{ path: 'options.priority', code: 'invalid_enum_value' }] },
    });
    const misspelt = { operation: 'annotate', nmae: 'x' };
    await expect(batchProcessingService.createBatch(misspelt)).rejects.toMatchObject({ details: { errors: [{ path: 'nmae' }] } });
  });

  test('another tenant has batches of its own', async () => {
    const acme = batchProcessingService.forTenant('acme');
    const { id } = await acme.createBatch({ operation: 'report', total_items: 1 });
    expect(await batchProcessingService.getBatch(id)).toBeUndefined();
    expect(await batchProcessingService.cancelBatch(id)).toBe(false);
    expect((await acme.getBatch(id))?.id).toBe(id);
  });
});
