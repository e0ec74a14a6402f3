import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import type { Cluster } from './cluster.js';
import { ExecutionLog } from './execution-log.js';
import { NativeClient } from './native-client.js';
import { type ServiceProcess, spawnService } from './process.js';

const PRELOAD = join(__dirname, 'trial-operation.mjs');
const MB = 1_048_576;
/** Mounts of a process of its own vanish with it. Only root may mount, or whoever is root in a user namespace of his own. */
const WAYS = [
  ['unshare', '--mount'],
  ['unshare', '--user', '--map-current-user', '--keep-caps', '--mount'],
];
const MOUNT = 'mount -t tmpfs -o "size=$1m" none "$0" || exit 1; shift; exec "$@"';

/** A whole service with its embedded database, whose data folder has a small disk to itself. */
export class SmallDisk {
  readonly log: ExecutionLog;
  readonly pool: Pool;
  private readonly url: string;
  readonly deaths: Cluster['deaths'] = [];

  private constructor(
    readonly service: ServiceProcess,
    private readonly folder: string,
    private readonly dataDir: string,
    /** Megabytes that the service keeps free. */
    readonly reserveMb: number,
    /** Its disk is that of the machine: it can be filled down to the reserve, and not to the last byte. */
    readonly isShared: boolean,
  ) {
    this.log = new ExecutionLog(folder);
    const password = readFileSync(join(this.inside, 'postgres.password'), 'utf8').trim();
    const port = readFileSync(join(this.inside, 'postgres-18/postmaster.pid'), 'utf8').split('\n')[3];
    this.url = `postgres://batchwise:${password}@127.0.0.1:${port}/batchwise`;
    this.pool = new Pool({ connectionString: this.url, max: 4 });
    this.pool.on('error', () => undefined);
  }

  static async start(megabytes: number, reserveMb: number, env: Record<string, string>): Promise<SmallDisk> {
    const folder = mkdtempSync(join(tmpdir(), 'batchwise-executions-'));
    const dataDir = mkdtempSync(join(tmpdir(), 'batchwise-disk-'));
    const mount = ['sh', '-c', MOUNT, dataDir, String(megabytes)];
    const way = WAYS.find(([command, ...args]) => spawnSync(command!, [...args, ...mount, 'true']).status === 0);
    const isShared = way === undefined;
    if (isShared) console.warn('F28: nothing may be mounted here (unshare), so the disk of this machine is filled, down to a reserve only');
    const reserve = isShared ? Math.floor(freeMb(dataDir)) - (megabytes - reserveMb) : reserveMb;
    const given = { ...env, DATA_DIR: dataDir, EXECUTION_LOG: folder, MIN_FREE_MB: String(reserve) };
    const service = await spawnService(given, undefined, ['--import', PRELOAD], way ? [...way, ...mount] : []);
    const disk = new SmallDisk(service, folder, dataDir, reserve, isShared);
    void service.ended.then(([code]) =>
      disk.deaths.push({ role: 'api', at: Date.now(), how: String(code), printed: service.output().slice(-2_000) }),
    );
    return disk;
  }

  get apis(): ServiceProcess[] {
    return [this.service];
  }

  client(): NativeClient {
    return new NativeClient(this.service.url);
  }

  freeMb(): number {
    return freeMb(this.inside);
  }

  /** Writes a file that leaves so many megabytes. */
  fill(leaveMb: number): void {
    const file = openSync(this.filler, 'w');
    const zeros = Buffer.alloc(MB);
    try {
      for (let left = Math.floor(this.freeMb() - leaveMb); left > 0; left -= 1) writeSync(file, zeros);
      // To the last byte, whatever others have written or given back meanwhile.
      while (leaveMb === 0) writeSync(file, zeros, 0, 4_096);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  empty(): void {
    rmSync(this.filler, { force: true });
  }

  /** Writes so much into PostgreSQL's log that it needs another file of it, for which a full disk has no room: the server ends. */
  async exhaustLog(): Promise<void> {
    const client = new Client({ connectionString: this.url.replace('//batchwise:', '//postgres:') });
    client.on('error', () => undefined);
    try {
      await client.connect();
      for (let n = 0; n < 30; n += 1) await client.query(`SELECT pg_logical_emit_message(false, 'filler', repeat('x', 8000000))`);
    } catch {
      // It is away, or has ended just now.
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
    const { deaths } = this;
    const died = [...deaths];
    const code = await this.service.end('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
    rmSync(this.dataDir, { recursive: true, force: true });
    expect({ died, code }).toEqual({ died: [], code: 0 });
  }

  /** The data folder, as the service sees it. */
  private get inside(): string {
    return join(`/proc/${this.service.pid}/root`, this.dataDir);
  }

  private get filler(): string {
    return join(this.inside, 'filler');
  }
}

function freeMb(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return (bavail * bsize) / MB;
}
