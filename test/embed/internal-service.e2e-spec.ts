import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');
const BUILT = '.cache/examples';

test('the example of an application that embeds the engine runs, works its batches, and ends by itself', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-example-'));
  await run(process.execPath, ['node_modules/@swc/cli/bin/swc.js', 'src', 'examples', '-d', BUILT], { cwd: ROOT });
  const env = { PATH: process.env.PATH };
  const { stdout, stderr } = await run(process.execPath, [`${BUILT}/examples/internal-service.js`, dataDir], { cwd: ROOT, env });
  expect(stdout.trim().split('\n')).toEqual([
    'batch.completed: 2 of 2 letters counted',
    'first: {"words":4}',
    'second: {"words":3}',
    'batch.completed: 2 of 3 letters are good',
    'illegible: 1',
    'closed',
  ]);
  expect(stderr).toBe('');
  await rm(dataDir, { recursive: true, force: true });
}, 120_000);

test('the guide shows what the example says', () => {
  const example = readFileSync(join(ROOT, 'examples/internal-service.ts'), 'utf8');
  const shown = [...readFileSync(join(ROOT, 'docs/embed.md'), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
  expect(shown.length).toBeGreaterThan(0);
  for (const code of shown) expect(example).toContain(code);
});
