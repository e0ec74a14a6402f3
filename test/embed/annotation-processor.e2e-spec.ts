import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase } from '../support/database.js';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');

/** What the annotation document's unit test does, by the package's own names. */
const PROGRAM = `
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import sharp from 'sharp';
import { BatchwiseModule, Procedures, PutRecord, ServiceInProcess, UploadFile } from 'batchwise';
import { BatchProcessor, createRateLimiter } from 'batchwise/annotations';

const [, DATABASE_URL, DATA_DIR] = process.argv;
const app = await NestFactory.createApplicationContext(BatchwiseModule.forRoot({ DATABASE_URL, DATA_DIR }), { logger: false });
const procedures = app.get(Procedures);
const caller = { tenant: 'default' };
const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'teal' } }).png().toBuffer();
const file = await procedures.call(UploadFile, { name: 'a.png', mediaType: 'image/png', source: [picture] }, caller);
for (const key of ['img1', 'img2']) {
  await procedures.call(PutRecord, { collection: 'images', key, fields: {}, fileId: file.id }, caller);
}

const processor = new BatchProcessor('free');
const jobId = await processor.startBatch(['img1', 'img2'], 1);
const seen = async (by) => {
  for (;;) {
    const progress = await by.getJobProgress(jobId);
    if (progress.completedAt) return progress;
  }
};
const { status, progress } = await seen(processor);
const long = await processor.startBatch(Array.from({ length: 100 }, (_, i) => 'img' + i), 5);
const cancelled = await processor.cancelJob(long);
const next = (await processor.getJobProgress(long)).status;
const named = (await seen(new BatchProcessor('paid', app.get(ServiceInProcess)))).status;

const limiter = createRateLimiter({ requestsPerMinute: 1 });
await limiter.acquire();
const wait = limiter.acquire().catch((error) => error.code);
processor.destroy();
limiter.destroy();
await app.close();
console.log(JSON.stringify({ status, progress, cancelled, next, named, wait: await wait }));
`;

test('a program with a BatchProcessor and a rate limiter of its own ends by itself once they are destroyed and the service is closed', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-processor-'));
  const database = await createTestDatabase();
  const args = ['--input-type=module', '--eval', PROGRAM, database.url, dataDir];
  const { stdout, stderr } = await run(process.execPath, args, { cwd: ROOT, env: { PATH: process.env.PATH }, timeout: 60_000 });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    status: 'completed',
    progress: { total: 2, processed: 2, successful: 2, failed: 0, percentage: 100 },
    cancelled: true,
    next: 'cancelled',
    named: 'completed',
    wait: 'CONFLICT',
  });
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
}, 90_000);
