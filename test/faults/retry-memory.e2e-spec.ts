import type { BatchView } from '../../src/batches/batch.view.js';
import { createTestDatabase } from '../support/database.js';
import { NativeClient } from '../support/native-client.js';
import { spawnService } from '../support/process.js';

const ITEMS = 200_000;

it('repeats a hundred thousand of two hundred thousand items with at most 1.3 times the memory that working them took', async () => {
  const database = await createTestDatabase();
  const service = await spawnService({ DATABASE_URL: database.url });
  const client = new NativeClient(service.url);
  let peak = 0;
  const watch = setInterval(() => void service.memory().then((bytes) => (peak = Math.max(peak, bytes))), 50);

  const { id } = await client.create({ operation: 'noop', open: true, options: { concurrency: 100, retryAttempts: 0 } });
  await client.addItems(id, items());
  await client.start(id);
  expect(await client.waitForEnd(id)).toMatchObject({ counts: { total: ITEMS, succeeded: ITEMS / 2, failed: ITEMS / 2 } });
  const worked = peak;
  peak = 0;
  const answer = await fetch(`${service.url}/api/batches/${id}/retry`, { method: 'POST' });
  expect(((await answer.json()) as { data: BatchView }).data).toMatchObject({
    run: 2,
    status: 'running',
    counts: { total: ITEMS, succeeded: ITEMS / 2, failed: 0, pending: ITEMS / 2 },
  });
  const ended = await client.waitForEnd(id);
  clearInterval(watch);

  expect(ended).toMatchObject({
    run: 2,
    status: 'completed',
    progress: 100,
    counts: { succeeded: ITEMS / 2, failed: ITEMS / 2, pending: 0 },
  });
  expect(peak / worked).toBeLessThanOrEqual(1.3);
  expect(await service.end('SIGTERM')).toBe(0);
  await database.drop();
}, 240_000);

/** Every second one fails, whenever it is tried. */
function items(): ReadableStream {
  const encoder = new TextEncoder();
  const output = { text: 'about a hundred bytes of payload that comes back as the output' };
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      let text = '';
      for (const until = Math.min(ITEMS, sent + 2_000); sent < until; sent += 1) {
        text += `${JSON.stringify({ key: String(sent), payload: sent % 2 === 0 ? { output } : { output, fail: 'permanent' } })}\n`;
      }
      controller.enqueue(encoder.encode(text));
      if (sent >= ITEMS) controller.close();
    },
  });
}
