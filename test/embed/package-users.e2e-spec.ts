import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { subset } from 'semver';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');

interface Manifest {
  engines: { node: string };
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
}

interface LockedPackage {
  dev?: boolean;
  optional?: boolean;
  engines?: { node?: string };
}

/** What a user of the package writes: every door, and what it hands out, in types of the user's own. */
const USER = `
import { Body, Controller, Module, Post } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { AppError, BatchwiseModule, CreateBatch, GetBatch, ItemHandler, type AppRouter, type Item, type ItemResult, type OutputOf,
  ProblemFilter, Procedures, RecordStore, startService, loadConfig, toProcedure } from 'batchwise';
import { BatchProcessingFacade } from 'batchwise/erp';
import { BatchProcessor } from 'batchwise/annotations';
import { BatchProcessingService } from 'batchwise/batch-service';
import { DocumentProcessingQueueService, ProcessingJobType } from 'batchwise/documents';
import { PermanentError, type ThreadItemContext } from 'batchwise/thread';

@ItemHandler('count')
class CountItemHandler {
  constructor(readonly records: RecordStore) {}
  async run(item: Item): Promise<ItemResult> {
    if (item.key === '') throw new PermanentError('no key');
    return { output: { key: item.key } };
  }
}

@Controller('orders')
class OrdersController {
  constructor(readonly procedures: Procedures, readonly commands: CommandBus, readonly erp: BatchProcessingFacade,
    readonly batches: BatchProcessingService, readonly documents: DocumentProcessingQueueService) {}
  @Post()
  async create(@Body() body: { keys: string[] }): Promise<OutputOf<GetBatch>> {
    if (body.keys.length === 0) throw new AppError('UNPROCESSABLE', 'keys: give one at least');
    const { id } = await this.commands.execute(toProcedure(CreateBatch, { operation: 'count', items: body.keys }, { tenant: 'acme' }));
    await this.documents.createJob(body.keys, ProcessingJobType.QUALITY_CHECK);
    return this.procedures.call(GetBatch, { batchId: id }, { tenant: 'acme' });
  }
}

@Module({ imports: [BatchwiseModule.forRoot({ DATA_DIR: '.data' })], controllers: [OrdersController],
  providers: [CountItemHandler, { provide: APP_FILTER, useClass: ProblemFilter }] })
export class UserModule {}

export const images = new BatchProcessor('free');
export const service = () => startService(loadConfig({ PORT: '0' }), { modules: [UserModule] });
export type Routes = AppRouter;
export type Limits = ThreadItemContext['limits'];
// @ts-expect-error: the types of the package are there, and are not any
export const wrong: number = images.startBatch(['a'], 1);
`;

const OPTIONS = {
  module: 'nodenext',
  target: 'es2022',
  strict: true,
  skipLibCheck: false,
  noEmit: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  // The packages below are links into this clone: looked up where they are linked, they see no package that only this clone has.
  preserveSymlinks: true,
  types: ['node'],
};

let project: string;

beforeAll(async () => (project = await mkdtemp(join(tmpdir(), 'batchwise-user-'))));
afterAll(() => rm(project, { recursive: true, force: true }));

async function readJson<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(ROOT, name), 'utf8')) as T;
}

/** The packages that come along with this one, by their places. */
async function runtimePackages(): Promise<[path: string, LockedPackage][]> {
  const { packages } = await readJson<{ packages: Record<string, LockedPackage> }>('package-lock.json');
  return Object.entries(packages).filter(([path, { dev }]) => path.startsWith('node_modules/') && !dev);
}

/** The packed package and what npm would install with it; of this clone's development packages only the types of Node. */
async function installPackage(): Promise<void> {
  const modules = join(project, 'node_modules');
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], { cwd: ROOT });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await mkdir(modules);
  await run('tar', ['xzf', join(project, filename), '-C', modules]);
  await rename(join(modules, 'package'), join(modules, 'batchwise'));
  const installed = (await runtimePackages()).map(([path]) => path);
  for (const path of [...installed, 'node_modules/@types/node', 'node_modules/undici-types']) {
    const isNested = path.lastIndexOf('node_modules/') > 0;
    if (isNested || !existsSync(join(ROOT, path)) || existsSync(join(project, path))) continue;
    await mkdir(dirname(join(project, path)), { recursive: true });
    await symlink(join(ROOT, path), join(project, path));
  }
}

it("a user's project that checks every declaration compiles against the packed package", async () => {
  await installPackage();
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  await writeFile(join(project, 'user.ts'), USER);
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, files: ['user.ts'] }));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const complaints = await run(process.execPath, [compiler, '-p', project]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
  expect(complaints).toBe('');
}, 180_000);

it('every package that a declaration names is installed with this one', async () => {
  const { dependencies, peerDependencies } = await readJson<Manifest>('package.json');
  const files = (await readdir(join(ROOT, 'dist'), { recursive: true })).filter((name) => name.endsWith('.d.ts'));
  const named = new Set<string>();
  for (const file of files) {
    const text = await readFile(join(ROOT, 'dist', file), 'utf8');
    for (const [, name] of text.matchAll(/(?:from |import\()["']((?:@[\w.-]+\/)?[\w.-]+)(?=["'/])/g))
      if (!name!.startsWith('.')) named.add(name!);
  }
  const known = { ...dependencies, ...peerDependencies };
  // Packages without types of their own get them from @types.
  const untyped = ['pg', 'ws', 'yauzl'].filter((name) => named.has(name));
  expect([...named].filter((name) => !(name in known))).toEqual([]);
  expect(untyped.filter((name) => !(`@types/${name}` in known))).toEqual([]);
});

it('what an application must have only once is left to it', async () => {
  const { dependencies, peerDependencies } = await readJson<Manifest>('package.json');
  const shared = ['@nestjs/common', '@nestjs/core', '@nestjs/cqrs', '@nestjs/typeorm', 'typeorm', 'reflect-metadata', 'rxjs'];
  expect(Object.keys(peerDependencies)).toEqual(expect.arrayContaining([...shared, 'class-validator', 'class-transformer']));
  expect(Object.keys(peerDependencies).filter((name) => name in dependencies)).toEqual([]);
});

/** What Nest 12 and @fastify/static bring along, and say they need Node 22 for; the tests run them on Node 20. */
const OF_NEST = ['node_modules/@nestjs/common/node_modules/file-type', 'node_modules/content-disposition', 'node_modules/cookie'];

it('every package that is needed at run time keeps to the promised versions of Node', async () => {
  const { engines } = await readJson<Manifest>('package.json');
  const packages = (await runtimePackages()).filter(([, { optional }]) => !optional);
  expect(packages.length).toBeGreaterThan(100);
  const narrower = packages.filter(([, { engines: own }]) => own?.node !== undefined && !subset(engines.node, own.node));
  expect(narrower.map(([path]) => path).filter((path) => !OF_NEST.includes(path))).toEqual([]);
});
