import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PagesModule } from '../../examples/own-item-handler.js';
import { startTestService } from '../support/service.js';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');

/** Blocks marked `no-run`, by their document and first line, and why they are not run here. */
const NOT_RUN: Record<string, string> = {
  'README.md: npm run demo': 'takes a minute; npm test is what runs this',
  'docs/benchmarks.md: npm run bench': 'takes minutes to hours',
  'docs/benchmarks.md: npm run bench:scale': 'takes minutes to hours',
  'docs/benchmarks.md: npm run bench:latency': 'takes minutes to hours',
  'docs/benchmarks.md: npm run bench:waiting': 'takes minutes to hours',
  'docs/benchmarks.md: npm run bench:computing -- --rounds 5': 'takes minutes to hours',
  'docs/benchmarks.md: npm run bench:reads': 'takes minutes to hours',
  'docs/benchmarks.md: npm run bench:watching': 'takes minutes to hours',
  'docs/embed.md: npm install ../batchwise/batchwise-0.1.0.tgz': 'belongs to another project; test/embed/package-users does it',
  'docs/plans.md: npm test -- test/plans': 'is a part of npm test',
  'docs/reliability.md: npm run test:faults': 'takes hours; a short form is a part of npm test',
  'docs/write-an-item-handler.md: npm run dev': 'needs a clone to change files in; test/docs/dev does it',
  'docs/write-an-item-handler.md: curl localhost:3000/api/batches': 'needs a clone to change files in; test/docs/dev does it',
};

/** What the text says that its commands show. */
const SHOWN: Record<string, string[]> = {
  'docs/annotations.md': ['"successful":1,"failed":1', '"error":"Image not found"'],
  'docs/batch-service.md': ['"maxConcurrentJobs":10'],
  'docs/circuit-breakers.md': ['"forced":"open"'],
  'docs/control.md': ['"reason":"the provider is down"', '"gates":['],
  'docs/documents.md': ['"status":"COMPLETED"', 'wrong-total', 'Job cancelled successfully'],
  'docs/embed.md': ['batch.completed: 2 of 2 letters counted'],
  'docs/erp.md': ['"qualityScore"', 'Batch cancelled successfully', '"error":"illegible","count":1'],
  'docs/records.md': ['"restored":1,"removed":1'],
  'docs/repeat.md': ['"total":12'],
  'docs/rollback.md': ['"removed":1'],
  'docs/trpc.md': ['batch.completed'],
  'docs/uploads.md': ['Soup of the day 4.50', 'guests.csv'],
  'docs/values.md': ['731904562218870001 has more digits than a JSON number holds exactly'],
};

interface Block {
  document: string;
  info: string;
  text: string;
}

const DOCUMENTS = ['README.md', ...readdirSync(join(ROOT, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : []))];

function blocksOf(document: string): Block[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map(([, info, block]) => ({ document, info: info!, text: block! }));
}

const ALL = DOCUMENTS.flatMap(blocksOf);
const SHELL = ALL.filter(({ info }) => /^(sh|bash|shell|console)\b/.test(info));

/** Replies are noted with their status; what cannot be sent at all fails the block. */
const PRELUDE = `
set -euo pipefail
curl() { command curl --silent --show-error --write-out '%{stderr}%{http_code} %{method} %{url_effective}\\n' "$@" 2>>"$REPLIES"; }
`;

/** What a fresh clone has that a command may need. */
const OF_THE_CLONE = ['node_modules', 'src', 'examples', 'package.json', '.swcrc'];

/**
 * Runs a document's blocks from its first to its last in one shell, in a folder of its own, against a service that was just started.
 * @returns what it printed, and each reply as "status method address"
 */
async function runDocument(document: string): Promise<{ printed: string; replies: string[] }> {
  const script = SHELL.filter((block) => block.document === document && block.info === 'sh').map(({ text }) => text);
  const service = await startTestService({}, { modules: [PagesModule] });
  const folder = mkdtempSync(join(tmpdir(), 'batchwise-docs-'));
  for (const name of OF_THE_CLONE) symlinkSync(join(ROOT, name), join(folder, name));
  const address = service.url.replace('http://', '');
  const env = { PATH: process.env.PATH, REPLIES: join(folder, 'replies') };
  try {
    const whole = PRELUDE + script.join('\n').replaceAll('localhost:3000', address);
    const { stdout } = await run('bash', ['-c', whole], { cwd: folder, env, maxBuffer: 50_000_000, timeout: 120_000 });
    return { printed: stdout, replies: linesOf(env.REPLIES) };
  } catch (error) {
    throw new Error(`${document}: ${(error as Error).message}\n${linesOf(env.REPLIES).join('\n')}`, { cause: error });
  } finally {
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n');
  } catch {
    return []; // no reply at all
  }
}

/** The refusals that a document announces: \`# 409\` behind a command. */
function announced(document: string): string[] {
  const shown = SHELL.filter((block) => block.document === document && block.info === 'sh').map(({ text }) => text);
  return [...shown.join('\n').matchAll(/\s# ([45]\d\d)\b/g)].map(([, status]) => status!);
}

const isRefusal = (reply: string): boolean => !/^[23]\d\d /.test(reply);
const WITH_COMMANDS = DOCUMENTS.filter((document) => SHELL.some((block) => block.document === document && block.info === 'sh'));

it('no command of a document is left out without a reason', () => {
  expect([...new Set(SHELL.map(({ info }) => info))].sort()).toEqual(['sh', 'sh no-run']);
  const marked = SHELL.filter(({ info }) => info === 'sh no-run').map(({ document, text }) => `${document}: ${text.split('\n')[0]}`);
  const reasons = Object.keys(NOT_RUN);
  expect(marked.filter((block) => !reasons.some((reason) => block.startsWith(reason)))).toEqual([]);
  expect(reasons.filter((reason) => !marked.some((block) => block.startsWith(reason)))).toEqual([]);
  expect(WITH_COMMANDS.length).toBeGreaterThan(15);
});

it.each(DOCUMENTS)('%s has no commands outside of its shell blocks', (document) => {
  const unfenced = readFileSync(join(ROOT, document), 'utf8').replaceAll(/^```\S[\s\S]*?^```$/gm, '');
  expect(unfenced.match(/^ {4}(\$ )?([A-Z_]+=\S* )*(curl|npm|npx|node|docker|git) .*$/gm)).toBeNull();
});

it.each(WITH_COMMANDS)(
  'the commands of %s work as they are printed, on a service that was just started',
  async (document) => {
    const { printed, replies } = await runDocument(document);
    expect(replies.filter(isRefusal).map((reply) => reply.slice(0, 3))).toEqual(announced(document));
    expect((SHOWN[document] ?? []).filter((text) => !printed.includes(text))).toEqual([]);
  },
  180_000,
);

it('the tour of the README shows what it says', async () => {
  const { printed } = await runDocument('README.md');
  const replies = printed
    .split(/(?<=\})(?=\{"success")/)
    .map((reply) => JSON.parse(reply) as { success: boolean; data?: { status?: string } });
  expect(replies.length).toBeGreaterThanOrEqual(15);
  expect(replies.filter((reply) => !reply.success)).toEqual([]);
  expect(replies.map((reply) => reply.data?.status)).toEqual(expect.arrayContaining(['running', 'paused', 'cancelled']));
  expect(printed).toContain('"key":"b","status":"failed"');
  expect(printed).toContain('"annotation_status":"done"');
}, 180_000);
