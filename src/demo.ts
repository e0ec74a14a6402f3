import 'reflect-metadata';
import { join } from 'node:path';
import type { BatchAnalytics, BatchView } from './batches/batch.view.js';
import type { OutcomeView } from './batches/item.view.js';
import { type Config, loadConfig } from './config.js';
import { DemoClient } from './demo/demo-client.js';
import { gatherPackages } from './demo/gather-packages.js';
import { ProgressLine } from './demo/progress-line.js';
import { qualityBars, samples, summarize } from './demo/summary.js';
import { endOnSignals } from './end-on-signals.js';
import { startService } from './service.js';

/** The packages that this service is itself made of: several hundred real records with real texts. */
const PACKAGES = join(import.meta.dirname, '../node_modules');
const COLLECTION = 'packages';
/** As shells say of what Ctrl-C has ended. */
const INTERRUPTED = 130;

const usual = loadConfig();

try {
  await demonstrate(
    loadConfig({ ROLE: 'all', DATABASE_URL: undefined, REDIS_URL: undefined, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'error' }),
  );
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

async function demonstrate(config: Config): Promise<void> {
  if (config.hasAccessControl && config.apiKeys.length === 0) {
    throw new Error(
      'JWT_SECRET is set and API_KEYS is not: the demo needs a key to call the service. Set API_KEYS=demo:<16 characters or more>.',
    );
  }
  console.log('\n  Batchwise demo: a whole service in this process, with its own PostgreSQL\n');
  const service = await startService(config, { onProgress: (message) => console.log(`  ${message}`) });
  const tell = (message: string): void => console.log(`\n  ${message}`);
  const end = endOnSignals({ close: () => service.close(), graceMs: config.shutdownGraceMs, exitCode: INTERRUPTED, tell });
  try {
    const client = await DemoClient.connect(service.url, config.apiKeys[0]?.key);
    await importPackages(client);
    const annotated = await annotate(client);
    await showFailures(client);
    client.close();
    console.log(whatNext(annotated, config).join('\n'));
  } catch (error) {
    // What broke broke because the service closes; the process ends when it has.
    if (end.isUnderWay) return new Promise(() => undefined);
    throw error;
  } finally {
    if (!end.isUnderWay) await service.close();
  }
}

async function importPackages(client: DemoClient): Promise<void> {
  const line = new ProgressLine('Importing');
  const batch = await client.importRows(COLLECTION, 'keyField=id&name=Packages%20of%20node_modules', gatherPackages(PACKAGES));
  await client.watch(batch.id, line);
}

/** @returns the batch's id */
async function annotate(client: DemoClient): Promise<string> {
  const line = new ProgressLine('Annotating');
  const { batch } = await client.post<{ batch: { id: string } }>('/api/batch/create', {
    operation: 'annotate',
    filters: { license: 'MIT' },
    options: { collection: COLLECTION, batchSize: 20, retryAttempts: 2, priority: 'high' },
    name: 'Annotate the MIT packages',
    description: 'Reads package.json and README; writes tags, entities, category and quality into each record',
  });
  await client.watch(batch.id, line);
  const analytics = await analyticsOf(client, batch.id);
  const { data } = await client.get<{ data: OutcomeView[] }>(`/api/batches/${batch.id}/results?limit=10000`);
  console.log([...summarize('Annotation of the MIT packages', analytics), ...qualityBars(analytics), ...samples(data), ''].join('\n'));
  return batch.id;
}

/** Real records hardly ever fail: these do, by chance, and most succeed when tried again. */
async function showFailures(client: DemoClient): Promise<void> {
  const line = new ProgressLine('Failing');
  const { data } = await client.post<{ data: BatchView }>('/api/batches', {
    operation: 'noop',
    name: 'Items that fail by chance',
    filters: { count: 1_000 },
    parameters: { durationMs: 20, failureRate: 0.25 },
    options: { concurrency: 50, batchSize: 50, retryAttempts: 2, retryDelay: 200 },
  });
  await client.watch(data.id, line);
  const analytics = await analyticsOf(client, data.id);
  console.log(summarize('A thousand items, of which each try fails by one chance in four, with two retries', analytics).join('\n'));
}

async function analyticsOf(client: DemoClient, batchId: string): Promise<BatchAnalytics> {
  return (await client.get<{ data: BatchAnalytics }>(`/api/batches/${batchId}/analytics`)).data;
}

function whatNext(batchId: string, config: Config): string[] {
  const url = `http://localhost:${usual.port}`;
  const curl = config.apiKeys.length > 0 ? `curl -H "x-api-key: $API_KEY"` : 'curl';
  const start = usual.databaseUrl ? 'DATABASE_URL= npm start' : 'npm start';
  return [
    '',
    `  All of it stays in ${config.dataDir}. To look at it, start the service with`,
    '',
    `    ${start}`,
    '',
    '  and ask it, for example',
    '',
    `    ${curl} ${url}/api/batch/${batchId}`,
    `    ${curl} ${url}/api/batch/${batchId}/viz`,
    `    ${curl} "${url}/api/batch/${batchId}/results?limit=3"`,
    `    ${curl} -G ${url}/api/records/${COLLECTION} -d limit=3 \\`,
    `      --data-urlencode 'filter={"annotation.category":"testing","annotation.qualityScore":{"gt":0.8}}'`,
    '',
    `  or see every route at ${url}/docs`,
    '',
  ];
}
