/**
 * Bodies that /docs offers to try out, by operation and media type: each is accepted as it stands by a service that was just started, once
 * what its path names is there.
 */
export const BODY_EXAMPLES: Record<string, Record<string, unknown>> = {
  BatchesController_create: json({
    operation: 'noop',
    name: 'My first batch',
    items: [{ key: 'a', payload: { output: { n: 1 } } }, { key: 'b', payload: { fail: 'permanent' } }, 'c'],
  }),
  BatchesController_update: json({ name: 'A better name' }),
  BatchContentsController_addItems: {
    ...json({ items: [{ key: 'a', payload: { output: { n: 1 } } }, 'b'] }),
    'application/x-ndjson': '{"key":"a","payload":{"output":{"n":1}}}\n{"key":"b"}\n',
  },
  BatchContentsController_recordResult: json({ key: 'a', success: true, output: { n: 1 }, durationMs: 120, quality: 0.9 }),
  BatchContentsController_recordResults: json({
    results: [
      { key: 'a', success: true, output: { n: 1 } },
      { key: 'b', success: false, error: 'no reply' },
    ],
  }),
  BatchFiguresController_recordMetrics: json({ memoryUsage: 512 }),
  BatchMovesController_start: json({ open: false }),
  BatchMovesController_pause: json({ reason: 'the provider is down' }),
  BatchMovesController_cancel: json({ reason: 'made by mistake' }),
  RetriesController_retry: json({ statuses: ['failed'] }),
  ItemsController_edit: json({ payload: { output: { n: 2 } } }),
  ItemsController_retry: json({ payload: { output: { n: 2 } } }),
  BreakersController_update: json({ failures: 3, openMs: 60_000 }),
  RecordsController_import: {
    ...json([{ name: 'Chair', price: 49.9 }]),
    'application/x-ndjson': '{"name":"Chair","price":49.9}\n{"name":"Table","price":199}\n',
    'text/csv': 'name,price\nChair,49.90\nTable,199.00\n',
    'text/tab-separated-values': 'name\tprice\nChair\t49.90\nTable\t199.00\n',
    'text/plain': 'name;price\nChair;49.90\nTable;199.00\n',
  },
  RecordsController_put: json({ fields: { name: 'Chair', price: 49.9 } }),
  ErpBatchController_create: json({ operation: 'noop', name: 'Ten items', filters: { count: 10 }, options: { priority: 'high' } }),
  ErpBatchController_cleanUp: json({ daysToKeep: 30 }),
  AnnotationsController_start: json({ imageIds: ['cat', 'dog'], concurrency: 2, rateLimitPerMinute: 100 }),
  DocumentsController_create: json({ documentIds: ['doc-1', 'doc-2'], type: 'QUALITY_CHECK' }),
};

/** What may stand for a part of a path, by controller. Ids of batches and jobs are known only when there are some. */
export const PATH_EXAMPLES: Record<string, Record<string, string>> = {
  RecordsController: { collection: 'products', key: 'A-1' },
  ItemsController: { key: 'b' },
  BreakersController: { provider: 'ai' },
};

function json(example: unknown): Record<string, unknown> {
  return { 'application/json': example };
}
