import { PRIORITIES } from '../../src/batches/batch.options.js';
import { completeOptions, laneWidths, newBatchId, rankOf, retentionMs } from '../../src/batches/dialects.js';
import { DIALECTS } from '../../src/common/procedure.js';
import { Config } from '../../src/config.js';

const config = Config.from({ BATCH_RETENTION_DAYS: '7' });

test('the widths of lanes add up to the concurrency, none is empty and none above 50, and they differ by one at most', () => {
  for (let concurrency = 1; concurrency <= 1_000; concurrency += 1) {
    const widths = laneWidths({ concurrency, laneWidth: 50 });
    expect(widths.reduce((sum, width) => sum + width, 0)).toBe(concurrency);
    expect(Math.max(...widths)).toBeLessThanOrEqual(50);
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...widths) - Math.min(...widths)).toBeLessThanOrEqual(1);
  }
});

test('an operation that is worked in slots gets a lane for each item side by side, and chunks of one item', () => {
  const given = { batchSize: 500, concurrency: 4 };
  const options = completeOptions(given, 'native', { config, concurrency: undefined, oneByOne: true });
  expect(options).toMatchObject({ concurrency: 4, batchSize: 1 });
  expect(laneWidths(options)).toEqual([1, 1, 1, 1]);
});

test('ids of every dialect are unique and say nothing about the next one', () => {
  for (const dialect of DIALECTS) {
    const ids = Array.from({ length: 1_000 }, () => newBatchId(dialect));
    expect(new Set(ids).size).toBe(1_000);
  }
});

test('priorities rank from critical to low', () => {
  const base = completeOptions({}, 'native', { config, concurrency: undefined });
  expect(PRIORITIES.map((priority) => rankOf({ ...base, priority }))).toEqual([1, 2, 3, 4]);
});

test('finished batches are kept as long as the configuration says, documents for a day', () => {
  for (const dialect of DIALECTS) expect(retentionMs(dialect, config)).toBe((dialect === 'documents' ? 1 : 7) * 86_400_000);
});
