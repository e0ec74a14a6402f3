import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { START_MS } from '../support/cluster.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

/** Longer than the longest pause between two starts of the server. */
const AGAIN_MS = 40_000;

let dataDir: string;
let service: ServiceProcess;
let api: Api;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'batchwise-again-'));
  service = await spawnService({ DATA_DIR: dataDir });
  api = new Api(service.url);
}, START_MS);

afterEach(async () => {
  await service.end('SIGKILL');
  await eventually(
    () => serverRuns(dataDir),
    (runs) => !runs,
  );
  await rm(dataDir, { recursive: true, force: true });
}, START_MS);

test(
  'a database that does not start again is tried until it does, which readiness and log tell; the service is asked to end in between',
  async () => {
    const { port, pid } = await postmaster();
    // Held still, so that the port is taken before the service notices.
    service.send('SIGSTOP');
    process.kill(pid, 'SIGKILL');
    const thief = await takePort(port);
    service.send('SIGCONT');
    await eventually(attempts, (count) => count >= 4, AGAIN_MS);
    const { status, body } = await api.get<Problem>('/health/ready');
    expect([status, body.message]).toEqual([
      503,
      'the service is not ready: the embedded PostgreSQL does not start, and is tried again and again; the log of the service says why',
    ]);
    expect((await api.get('/health/live')).status).toBe(200);
    const refused = await api.post<Problem>('/api/batches', { operation: 'noop', items: ['a'] });
    expect([refused.status, refused.body.message]).toEqual([503, expect.stringMatching(/^the embedded PostgreSQL does not start, /)]);

    await thief.close();
    await eventually(
      () => api.get('/health/ready'),
      (ready) => ready.status === 200,
      AGAIN_MS,
    );
    expect((await api.post('/api/batches', { operation: 'noop', items: ['a'] })).status).toBe(201);
    const told = /did not start.*could not bind.*It is started again in 1 s.*PostgreSQL runs again/s;
    await eventually(() => told.test(service.output()), Boolean);

    // A server that ends again soon is left alone for a while, in which the service is asked to end.
    process.kill((await postmaster()).pid, 'SIGKILL');
    await eventually(
      () => api.get('/health/ready'),
      (ready) => ready.status === 503,
    );
    expect(await service.end('SIGTERM')).toBe(0);
    expect(await leftovers()).toEqual([]);
  },
  START_MS,
);

test(
  'a database whose files are gone ends the service with a code of its own, and leaves no lock behind',
  async () => {
    const { pid } = await postmaster();
    service.send('SIGSTOP');
    await rename(join(dataDir, 'postgres-18/PG_VERSION'), join(dataDir, 'PG_VERSION'));
    process.kill(pid, 'SIGKILL');
    service.send('SIGCONT');
    const { body } = await eventually(
      () => api.get<Problem>('/health/ready'),
      ({ body }) => /damaged/.test(body.message),
    );
    expect(body.message).toBe(
      'the service is not ready: the embedded PostgreSQL does not start: its files in DATA_DIR are damaged or missing, or its program is; the log of the service says which',
    );
    const [code] = await service.ended;
    expect(code).toBe(74);
    expect(await leftovers()).toEqual([]);
    expect(/The database is lost .*is not a valid data directory/s.test(service.output())).toBe(true);
    // Nor does a start with these files succeed.
    await expect(spawnService({ DATA_DIR: dataDir })).rejects.toThrow('is not a valid data directory');
  },
  START_MS,
);

const postmasterFile = (folder: string) => readFile(join(folder, 'postgres-18/postmaster.pid'), 'utf8');

async function postmaster(): Promise<{ pid: number; port: number }> {
  const lines = (await postmasterFile(dataDir)).split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]) };
}

async function serverRuns(folder: string): Promise<boolean> {
  const pid = Number((await postmasterFile(folder).catch(() => '')).split('\n')[0]);
  return pid > 0 && existsSync(`/proc/${pid}`);
}

const attempts = (): number => service.output().split('did not start').length - 1;

/** What a service that ended by itself must not leave in its folder. */
async function leftovers(): Promise<string[]> {
  const found = (await readdir(dataDir)).filter((name) => name.startsWith('service.lock'));
  return (await serverRuns(dataDir)) ? [...found, 'a server'] : found;
}

/** As soon as the server that was killed has let go of it. */
async function takePort(port: number): Promise<{ close(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy());
  await eventually(() => once(server.listen(port, '127.0.0.1'), 'listening'));
  return {
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
