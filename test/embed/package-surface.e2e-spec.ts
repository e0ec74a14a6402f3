import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');

/** What each door of the package must hand out, imported by the package's own name in a process of its own, as its users do. */
const DOORS: Record<string, string[]> = {
  batchwise: [
    'BatchwiseModule',
    'startService',
    'ServiceInProcess',
    'Procedures',
    'toProcedure',
    'CreateBatch',
    'GetBatch',
    'BatchCompleted',
    'ItemHandler',
    'RecordStore',
    'StoresModule',
    'AppError',
    'ProblemFilter',
  ],
  'batchwise/erp': ['BatchProcessingFacade'],
  'batchwise/annotations': ['BatchProcessor', 'ServiceInProcess', 'createRateLimiter', 'estimateDurationMinutes'],
  'batchwise/batch-service': ['BatchProcessingService', 'BATCH_PRIORITIES'],
  'batchwise/thread': ['PermanentError', 'RetryLaterError', 'BatchStoppedError'],
  'batchwise/documents': ['DocumentProcessingQueueService', 'ProcessingJobType'],
};

test.each(Object.entries(DOORS))(
  '%s can be imported by its name, and has what it promises',
  async (door, names) => {
    const script = `import 'reflect-metadata'; import * as door from '${door}'; console.log(JSON.stringify(Object.keys(door)));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT });
    expect(JSON.parse(stdout)).toEqual(expect.arrayContaining(names));
  },
  60_000,
);

test('every door has its types', async () => {
  const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, { types: string }> };
  expect(Object.keys(exports).map((path) => path.replace('.', 'batchwise'))).toEqual(Object.keys(DOORS));
  for (const { types } of Object.values(exports)) expect([types, existsSync(join(ROOT, types))]).toEqual([types, true]);
});

test('the packed package has every door, the character maps of PDFs, and nothing but what is built', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, maxBuffer: 10_000_000 });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, Record<string, string>> };
  const doors = Object.values(exports).flatMap((door) => Object.values(door).map((path) => path.replace('./', '')));
  expect(paths).toEqual(expect.arrayContaining([...doors, 'dist/pdfjs-dist/cmaps/UniJIS-UCS2-H.bcmap', 'dist/pdfjs-dist/cmaps/LICENSE']));
  expect(paths.filter((path) => !/^(dist\/|package\.json|README\.md|LICENSE|CHANGELOG\.md)/.test(path))).toEqual([]);
}, 60_000);
