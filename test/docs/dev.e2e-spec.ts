import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { NativeClient } from '../support/native-client.js';

const ROOT = join(__dirname, '../..');
const PATIENCE_MS = 120_000;

/** The first example of docs/write-an-item-handler.md. */
async function printedHandler(): Promise<string> {
  const guide = await readFile(join(ROOT, 'docs/write-an-item-handler.md'), 'utf8');
  return /```ts\n(\/\/ src\/operations\/greet[\s\S]*?)```/.exec(guide)![1]!;
}

/** A clone to change files in. */
async function copyOfTheClone(folder: string): Promise<void> {
  for (const name of ['src', 'dist', 'scripts', '.swcrc', 'package.json'])
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

const endings: (() => void)[] = [];
afterEach(() => endings.splice(0).forEach((end) => end()));

it('npm run dev starts the service again with a handler that was written, and with each change of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'batchwise-dev-'));
  const database = await createTestDatabase();
  await copyOfTheClone(folder);
  const env = { PATH: process.env.PATH, NODE_ENV: 'test', PORT: '0', LOG_LEVEL: 'fatal', DATA_DIR: join(folder, 'data'), SWEEP_MS: '200' };
  const dev = spawn(process.execPath, ['scripts/dev.mjs'], { cwd: folder, env: { ...env, DATABASE_URL: database.url } });
  const ended = once(dev, 'exit');
  endings.push(() => dev.kill('SIGTERM'));
  let output = '';
  for (const stream of [dev.stdout, dev.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const printed = (text: RegExp, times: number) =>
    eventually(
      () => [...output.matchAll(text)],
      (found) => found.length >= times,
      PATIENCE_MS,
    );
  /** Of the service that listens last: it may be ended while it is asked, when the next one is about to start. */
  const greet = async (): Promise<unknown> => {
    const url = [...output.matchAll(/is listening at (\S+)/g)].at(-1)![1]!;
    const client = new NativeClient(url);
    const { id, warnings } = await client.create({ operation: 'greet', items: ['Ada'] });
    if (warnings.length > 0) throw new Error(warnings.join());
    await client.waitFor(id, ({ endedAt }) => endedAt !== null, 2_000);
    const { data } = (await (await fetch(`${url}/api/batches/${id}/results`)).json()) as { data: OutcomeView[] };
    return data[0]!.output;
  };
  const greeted = (greeting: string) =>
    eventually(
      async () => expect(await greet()).toEqual({ greeting }),
      () => true,
      PATIENCE_MS,
    );
  await printed(/is listening at (\S+)/g, 1);

  const handler = join(folder, 'src/operations/greet.item-handler.ts');
  const list = join(folder, 'src/operations/item-handlers.ts');
  await writeFile(handler, await printedHandler());
  const named = (await readFile(list, 'utf8')).replace('ITEM_HANDLERS = [', 'ITEM_HANDLERS = [GreetItemHandler,');
  await writeFile(list, `import { GreetItemHandler } from './greet.item-handler.js';\n${named}`);
  await greeted('Hello, Ada');

  await writeFile(handler, 'export class {');
  await printed(/does not compile: the service goes on as it was/g, 1);
  await writeFile(handler, (await printedHandler()).replace('Hello', 'Good morning'));
  await greeted('Good morning, Ada');

  dev.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
}, 180_000);
