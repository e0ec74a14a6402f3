import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startTestService, type TestService } from '../support/service.js';

const run = promisify(execFile);

let service: TestService;

beforeAll(async () => (service = await startTestService()));
afterAll(() => service.close());

/** The shell blocks of the tour, as they are printed. */
async function tour(): Promise<string[]> {
  const readme = await readFile(join(__dirname, '../../README.md'), 'utf8');
  const section = readme.split('## A tour in five minutes')[1]!.split('\n## ')[0]!;
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
}

it('the tour of the README works as it is printed', async () => {
  const script = (await tour()).join('\n').replaceAll('localhost:3000', service.url.replace('http://', ''));

  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { maxBuffer: 10_000_000 });

  const replies = stdout
    .split(/(?<=\})(?=\{"success")/)
    .map((reply) => JSON.parse(reply) as { success: boolean; data?: { status?: string } });
  expect(replies.length).toBeGreaterThanOrEqual(15);
  expect(replies.filter((reply) => !reply.success)).toEqual([]);
  expect(replies.map((reply) => reply.data?.status)).toEqual(expect.arrayContaining(['running', 'paused', 'cancelled']));
  expect(stdout).toContain('"key":"b","status":"failed"');
  expect(stdout).toContain('"annotation_status":"done"');
}, 60_000);
