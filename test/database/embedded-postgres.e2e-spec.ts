import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Client, type QueryResultRow } from 'pg';
import { commandLineOf } from '../../src/database/embedded-process.js';

/** A service, as far as its database is concerned: it stops on SIGTERM, has its own way with Ctrl-C, and does not outlive the tests. */
const OWNER = `
  import { startEmbeddedPostgres } from '${pathToFileURL(resolve('dist/database/embedded-postgres.js')).href}';
  process.on('SIGINT', () => undefined);
  process.stdin.on('end', () => process.exit()).resume();
  const server = await startEmbeddedPostgres(process.argv[1]);
  process.once('SIGTERM', async () => {
    process.stdin.destroy();
    await server.stop();
  });
  console.log(server.url);
`;

describe('the embedded PostgreSQL', () => {
  let home: string;
  let dataDir: string;
  let owners: ChildProcess[];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'batchwise-embedded-')); // only its owner may enter it (0700)
    dataDir = join(home, 'my data');
    owners = [];
  });

  afterEach(async () => {
    for (const owner of owners) await kill(owner);
    await until('everything has ended', () => processesOf(home).length === 0);
    rmSync(home, { recursive: true, force: true });
  });

  function spawnOwner(): ChildProcess {
    const owner = spawn(process.execPath, ['--input-type=module', '-e', OWNER, dataDir], {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    owners.push(owner);
    return owner;
  }

  /** Starts a service on the data folder; resolves to its database's URL, or rejects with what it says on its way out. */
  async function startOwner(): Promise<{ owner: ChildProcess; url: string }> {
    const owner = spawnOwner();
    let output = '';
    let errors = '';
    owner.stdout?.on('data', (data) => (output += String(data)));
    owner.stderr?.on('data', (data) => (errors += String(data)));
    await until('the service has started or ended', () => output.includes('\n') || hasEnded(owner));
    if (hasEnded(owner)) throw new Error(errors);
    return { owner, url: output.trim() };
  }

  async function stop(owner: ChildProcess): Promise<void> {
    owner.kill('SIGTERM');
    await until('the service has stopped', () => hasEnded(owner));
  }

  const serverPid = (): number => Number(readFileSync(join(dataDir, 'postgres-18/postmaster.pid'), 'utf8').split('\n')[0]);

  /** The supervisor is a shell and a watching part of it. */
  function supervisorPids(owner: ChildProcess): number[] {
    return processesOf(home).filter((pid) => pid !== owner.pid && pid !== serverPid());
  }

  it('starts below a folder that only its owner may enter, and keeps its data from one start to the next', async () => {
    const first = await startOwner();
    await query(first.url, 'create table kept as select 42 as answer');
    await stop(first.owner);
    expect(processesOf(home)).toEqual([]);

    const second = await startOwner();
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('keeps its promise of durability, knows all letters, and gives the service no power over the machine', async () => {
    const { url } = await startOwner();
    expect(await query(url, `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`)).toEqual([
      { fsync: 'on', commit: 'on' },
    ]);
    expect(await query(url, `select upper('é') as upper, current_setting('server_encoding') as encoding`)).toEqual([
      { upper: 'É', encoding: 'UTF8' },
    ]);
    await expect(query(url, `copy (select 1) to program 'true'`)).rejects.toThrow('permission denied');
  });

  it('refuses a second service on the same folder, and says which folder, who has it and what to do', async () => {
    const { owner } = await startOwner();
    await expect(startOwner()).rejects.toThrow(
      `The data folder ${dataDir} is in use by another Batchwise service (process ${owner.pid}). ` +
        'Stop that one, or give this one a folder of its own with DATA_DIR or a database of its own with DATABASE_URL.',
    );
  });

  it('leaves nothing running when its service is killed, and the next start finds what was committed', async () => {
    const first = await startOwner();
    await query(first.url, 'create table kept as select 42 as answer');
    await kill(first.owner);
    await until('the database has ended too', () => processesOf(home).length === 0);

    const second = await startOwner();
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('ends a server that an earlier life left behind, and starts anew', async () => {
    const first = await startOwner();
    const orphan = serverPid();
    // Everything but the server itself, and so that nobody can react: the service is held still until the server's supervisor is gone.
    first.owner.kill('SIGSTOP');
    for (const pid of supervisorPids(first.owner)) process.kill(pid, 'SIGKILL');
    first.owner.kill('SIGKILL');
    await until('only the server is left', () => hasEnded(first.owner) && processesOf(home).length === 1);

    const second = await startOwner();
    expect(serverPid()).not.toBe(orphan);
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it.each([
    ['server that was killed', () => [serverPid()]],
    [
      'server whose supervisor was killed',
      (owner: ChildProcess) => processesOf(home).filter((pid) => pid !== owner.pid && pid !== serverPid()),
    ],
  ])('starts a %s again, at the same address', async (_, victims) => {
    const { owner, url } = await startOwner();
    const before = serverPid();
    for (const pid of victims(owner)) process.kill(pid, 'SIGKILL');
    await until('another server answers', () =>
      query(url, 'select 1').then(
        () => serverPid() !== before,
        () => false,
      ),
    );
  });

  it('hears nothing of a Ctrl-C meant for the service, which may still need it', async () => {
    const { owner, url } = await startOwner();
    process.kill(-owner.pid!, 'SIGINT'); // a terminal signals the whole process group
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await stop(owner);
    expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8').match(/shutdown request/g)).toHaveLength(1);
  });

  it.each([
    ['whose process has ended', () => JSON.stringify({ pid: endedPid(), startTime: '1' })],
    ['whose pid another process was given since', () => JSON.stringify({ pid: process.pid, startTime: '1' })],
    ['that a power cut emptied', () => ''],
  ])('takes over a lock %s', async (_, lock) => {
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'service.lock'), lock());
    const { owner, url } = await startOwner();
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await stop(owner);
    expect(existsSync(join(dataDir, 'service.lock'))).toBe(false);
  });

  it('makes the cluster anew when its making was cut off', async () => {
    const unfinished = () => (existsSync(dataDir) ? readdirSync(dataDir).filter((name) => name.startsWith('postgres-18')) : []);
    const first = spawnOwner();
    await until('the making has begun', () => unfinished().some((name) => existsSync(join(dataDir, name, 'PG_VERSION'))));
    await kill(first);
    expect(unfinished()).not.toContain('postgres-18');

    const { url } = await startOwner();
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(unfinished()).toEqual(['postgres-18']);
  });

  it('shows the end of the server log when the server does not start', async () => {
    const { owner } = await startOwner();
    await stop(owner);
    writeFileSync(join(dataDir, 'postgres-18/postgresql.conf'), 'no_such_setting = 1\n');
    await expect(startOwner()).rejects.toThrow(/did not start.*unrecognized configuration parameter "no_such_setting"/s);
    expect(existsSync(join(dataDir, 'service.lock'))).toBe(false);
  });
});

async function query(url: string, sql: string): Promise<QueryResultRow[]> {
  const client = new Client(url);
  client.on('error', () => undefined); // a killed server; the query's own rejection tells
  try {
    await client.connect();
    return (await client.query<QueryResultRow>(sql)).rows;
  } finally {
    await client.end();
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function kill(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** The processes that have the folder in their command line: services, supervisors and servers. */
function processesOf(folder: string): number[] {
  const all = existsSync('/proc/self') ? readdirSync('/proc') : execFileSync('ps', ['-A', '-o', 'pid='], { encoding: 'utf8' }).split('\n');
  return all.map(Number).filter((pid) => pid > 0 && commandLineOf(pid)?.includes(folder));
}

function endedPid(): number {
  return Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await delay(20);
  }
}
