import { createTestDatabase } from '../support/database.js';
import { NativeClient, ndjsonItems } from '../support/native-client.js';
import { spawnService } from '../support/process.js';

const SMALL = 100_000;
const LARGE = 1_000_000;

it('streams in and works a million items with at most 1.3 times the memory of a hundred thousand', async () => {
  const database = await createTestDatabase();
  const service = await spawnService({ DATABASE_URL: database.url });
  const client = new NativeClient(service.url);

  // The first one finds a young heap, which grows to its working size.
  await peakMemory(SMALL);
  const small = await peakMemory(SMALL);
  const large = await peakMemory(LARGE);

  expect(large / small).toBeLessThanOrEqual(1.3);
  expect(await service.end('SIGTERM')).toBe(0);
  await database.drop();

  /** The most that the service held while it took in and worked one batch. */
  async function peakMemory(items: number): Promise<number> {
    let peak = 0;
    const watch = setInterval(() => void service.memory().then((bytes) => (peak = Math.max(peak, bytes))), 50);
    const { id } = await client.create({ operation: 'noop', open: true, options: { concurrency: 100 } });
    expect(
      await client.addItems(id, ndjsonItems(items, { output: { text: 'about a hundred bytes of payload that comes back as the output' } })),
    ).toMatchObject({ total: items });
    await client.start(id);
    const ended = await client.waitForEnd(id);
    clearInterval(watch);
    expect(ended.counts).toMatchObject({ total: items, succeeded: items, pending: 0 });
    return peak;
  }
}, 240_000);
