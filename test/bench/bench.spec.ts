import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BENCH = join(__dirname, '../../bench');
const ITEMS = 2_000;
/** The usual design gets a share of the items. */
const USUAL_ITEMS = 400;

interface Run {
  system: string;
  items: number;
  recorded: number;
  itemsPerSecond: number;
}

let folder: string;

beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'batchwise-bench-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bench(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run(process.execPath, [join(BENCH, 'throughput.mjs'), ...args]);
}

describe('the benchmark of throughput', () => {
  it('has every system work its items, finds all of their results, and prints them side by side', async () => {
    const out = join(folder, 'result.json');

    const { stdout } = await bench('--quick', '--out', out);

    const { systems, runs } = JSON.parse(readFileSync(out, 'utf8')) as { systems: { name: string; title: string }[]; runs: Run[] };
    const files = readdirSync(join(BENCH, 'systems')).map((file) => basename(file, '.mjs'));
    expect(systems.map(({ name }) => name).sort()).toEqual(files.sort());
    expect(runs.map(({ system }) => system).sort()).toEqual(files);
    for (const { system, items, recorded, itemsPerSecond } of runs) {
      const given = system === 'usual-nestjs' ? USUAL_ITEMS : ITEMS;
      expect({ system, items, recorded }).toEqual({ system, items: given, recorded: given });
      expect(itemsPerSecond).toBeGreaterThan(0);
    }
    for (const { title } of systems) expect(stdout).toContain(`| ${title} |`);
  }, 300_000);

  it('names the systems it knows when it is asked for another one', async () => {
    await expect(bench('--only', 'bull,cron')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/does not know cron; it knows batchwise, .*bull/) as string,
    });
  });
});
