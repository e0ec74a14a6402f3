import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { NativeClient } from '../support/native-client.js';

const ROOT = join(__dirname, '../..');
const PATIENCE_MS = 180_000;
const CTRL_C = '\x03';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'batchwise-signals-'));
});
afterEach(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** A command with what it starts, as a shell runs it: in a process group of its own. */
class Job {
  output = '';
  readonly ended: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  private readonly child: ChildProcess;

  constructor(command: string, args: string[], env: Record<string, string> = {}) {
    const settings = {
      NODE_ENV: 'test',
      PORT: '0',
      LOG_LEVEL: 'warn',
      DATABASE_URL: database.url,
      DATA_DIR: folder,
      SWEEP_MS: '200',
      ...env,
    };
    this.child = spawn(command, args, { cwd: ROOT, detached: true, env: { ...process.env, ...settings } });
    for (const stream of [this.child.stdout!, this.child.stderr!]) stream.on('data', (data: Buffer) => (this.output += data.toString()));
    this.ended = once(this.child, 'exit') as Job['ended'];
  }

  /** What a terminal does at Ctrl-C: every process of the group hears it. */
  signalAll(signal: NodeJS.Signals): void {
    process.kill(-this.child.pid!, signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  type(keys: string): void {
    this.child.stdin!.write(keys);
  }

  says(text: RegExp, times = 1): Promise<string> {
    return eventually(
      () => this.output,
      (output) => [...output.matchAll(new RegExp(text, 'g'))].length >= times,
      PATIENCE_MS,
    );
  }

  /** Of the service that it has started last. */
  async client(times = 1): Promise<NativeClient> {
    const output = await this.says(/is listening at \S+/, times);
    return new NativeClient([...output.matchAll(/is listening at (\S+)/g)].at(-1)![1]!);
  }
}

/** An item that runs for two seconds. @returns when it has begun */
async function begin(job: Job): Promise<void> {
  const client = await job.client();
  const { id } = await client.create({ operation: 'noop', items: [{ key: 'a', payload: { durationMs: 2_000, output: 'done' } }, 'b'] });
  await client.waitFor(id, ({ counts }) => counts.running >= 1);
}

const rows = async (sql: string): Promise<object[]> => {
  const connection = new Client({ connectionString: database.url });
  await connection.connect();
  const found = await connection.query<object>(sql);
  await connection.end();
  return found.rows;
};

/** The item in flight was waited for, and nothing was cut off. npm itself may be gone before: it does not wait when its terminal is closed. */
async function expectDrained(): Promise<void> {
  await eventually(async () => {
    expect(await rows(`SELECT status, attempts, output FROM outcome WHERE key = 'a'`)).toEqual([
      { status: 1, attempts: 1, output: 'done' },
    ]);
    expect(await rows(`SELECT FROM lane WHERE lease_until > '-infinity'`)).toEqual([]);
    expect(await rows(`SELECT FROM pg_stat_activity WHERE application_name LIKE 'batchwise%' AND datname = current_database()`)).toEqual(
      [],
    );
  });
}

test(
  'Ctrl-C at a terminal in which npm start runs lets items in flight finish, although npm hands it on as well',
  async () => {
    // A real terminal: it gives Ctrl-C to every process of the group, and npm gives it to its child once more.
    const job = new Job('script', ['--quiet', '--return', '--command', 'npm start', '/dev/null']);
    await begin(job);
    job.type(CTRL_C);
    await job.says(/SIGINT: finishing items in flight/);
    await job.ended;
    await expectDrained();
    expect(job.output).not.toMatch(/ends at once/);
  },
  PATIENCE_MS,
);

test.each(['SIGINT', 'SIGHUP'] as const)(
  '%s to the process group of npm start, and once more by npm, is one wish',
  async (signal) => {
    const job = new Job('npm', ['start']);
    await begin(job);
    job.signalAll(signal);
    job.signal(signal);
    await job.ended;
    await expectDrained();
  },
  PATIENCE_MS,
);

test(
  'a second Ctrl-C more than a second later ends it at once',
  async () => {
    const job = new Job(process.execPath, ['dist/main.js'], { NOOP_FAULTS: 'true', SHUTDOWN_GRACE_MS: '60000' });
    const client = await job.client();
    const { id } = await client.create({ operation: 'noop', items: [{ key: 'a', payload: { hang: true } }] });
    await client.waitFor(id, ({ counts }) => counts.running === 1);
    job.signal('SIGINT');
    await job.says(/SIGINT: finishing/);
    const toldAt = performance.now();
    await eventually(() => performance.now() - toldAt > 1_100, Boolean);
    job.signal('SIGINT');
    expect(await job.ended).toEqual([1, null]);
  },
  PATIENCE_MS,
);

test(
  'Ctrl-C at a terminal in which the demo runs closes its service in order',
  async () => {
    const job = new Job('script', ['--quiet', '--return', '--command', 'npm run demo', '/dev/null']);
    await job.says(/Importing/);
    job.type(CTRL_C);
    await job.says(/SIGINT: finishing items in flight/);
    await job.ended;
    expect(job.output).not.toMatch(/ends at once|Error|error/);
  },
  PATIENCE_MS,
);

test(
  'npm start starts the service again when it has ended to be replaced',
  async () => {
    const faults = {
      NOOP_FAULTS: 'true',
      HANGING_CALLS: '2',
      HANGING_CALLS_OF_BATCH: '100',
      RECYCLE_AFTER_MS: '300',
      SHUTDOWN_GRACE_MS: '2000',
    };
    const job = new Job('npm', ['start'], faults);
    const first = await job.client();
    const items = ['a', 'b', 'c'].map((key) => ({ key, payload: { hang: true } }));
    await first.create({ operation: 'noop', items, options: { timeout: 100, retryAttempts: 0 } });
    await job.says(/has ended to be replaced; it is started again in 1 s/);
    const second = await job.client(2);
    const { id } = await second.create({ operation: 'noop', items: ['x'] });
    expect(await second.waitForEnd(id)).toMatchObject({ status: 'completed' });
    job.signalAll('SIGTERM');
    await job.ended;
  },
  PATIENCE_MS,
);

describe('what keeps a program running', () => {
  const START = join(ROOT, 'scripts/start.mjs');
  const program = (source: string): string => {
    const path = join(folder, 'program.mjs');
    writeFileSync(path, source);
    return path;
  };

  test('starts it again for code 75 alone, waits longer each time, and passes any other code on', async () => {
    const count = join(folder, 'count');
    writeFileSync(count, '');
    const path = program(`
      import { appendFileSync, readFileSync } from 'node:fs';
      appendFileSync(${JSON.stringify(count)}, '.');
      process.exit(readFileSync(${JSON.stringify(count)}, 'utf8').length < 3 ? 75 : 3);`);
    const job = new Job(process.execPath, [START, path]);
    expect(await job.ended).toEqual([3, null]);
    expect(readFileSync(count, 'utf8')).toBe('...');
    expect([...job.output.matchAll(/again in (\d+) s/g)].map(([, seconds]) => seconds)).toEqual(['1', '2']);
  }, 60_000);

  test('ends by the signal that ended it', async () => {
    const job = new Job(process.execPath, [START, program(`process.kill(process.pid, 'SIGKILL');`)]);
    expect(await job.ended).toEqual([null, 'SIGKILL']);
  }, 60_000);

  test('does not start it again when it was asked to end, also while it waits to', async () => {
    const job = new Job(process.execPath, [START, program('process.exit(75);')]);
    await job.says(/again in 1 s/);
    job.signal('SIGTERM');
    expect(await job.ended).toEqual([0, null]);
  }, 60_000);

  test(
    'does not leave the service behind when it is killed itself',
    async () => {
      const job = new Job(process.execPath, [START, 'dist/main.js']);
      const client = await job.client();
      job.signal('SIGKILL');
      await job.says(/SIGTERM: finishing items in flight/);
      await eventually(
        () =>
          fetch(`${client.url}/health/live`).then(
            () => true,
            () => false,
          ),
        (isAlive) => !isAlive,
        60_000,
      );
    },
    PATIENCE_MS,
  );
});
