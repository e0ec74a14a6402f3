import { copyFile, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchDebianPackage } from '../../scripts/debian-package.mjs';
import { type Cluster, openCluster } from '../../src/database/embedded-cluster.js';
import { findPrograms } from '../../src/database/embedded-programs.js';
import { EmbeddedServer } from '../../src/database/embedded-server.js';
import { spawnSupervised } from '../../src/database/embedded-supervisor.js';
import { serverUser } from '../../src/database/embedded-user.js';

const LIBRARY = 'libfaketime.so.1';

/** A PostgreSQL whose clock can be set while it runs: libfaketime stands between it and the time of the system. */
export class ServerWithClock {
  private constructor(
    readonly url: string,
    private readonly server: EmbeddedServer,
    private readonly folder: string,
  ) {}

  static async start(): Promise<ServerWithClock> {
    const folder = await mkdtemp(join(tmpdir(), 'batchwise-clock-'));
    const library = join(folder, LIBRARY);
    await copyFile(await findLibrary(), library);
    await writeFile(join(folder, 'offset'), '+0');
    const cluster = await openCluster(folder, () => undefined);
    const server = new EmbeddedServer(
      { ...cluster, run: (_, args) => runWithClock(cluster, { folder, library, args }) },
      {},
      () => undefined,
    );
    return new ServerWithClock(await server.start(), server, folder);
  }

  /** It shows so many seconds more than the system's, within a second from now. */
  set(offsetSeconds: number): Promise<void> {
    return writeFile(join(this.folder, 'offset'), `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}`);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function runWithClock(cluster: Cluster, { folder, library, args }: { folder: string; library: string; args: string[] }) {
  const user = await serverUser(cluster.path);
  const settings = [
    `LD_PRELOAD=${library}`,
    `FAKETIME_TIMESTAMP_FILE=${join(folder, 'offset')}`,
    'FAKETIME_CACHE_DURATION=1',
    // Of clocks that cannot be set, servers use this one to wait.
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
  ];
  const command = [...settings, ...(user?.prefix ?? []), join(await findPrograms(), 'postgres'), ...args];
  const log = await open(join(folder, 'postgres.log'), 'a');
  try {
    return spawnSupervised('/usr/bin/env', command, { output: log.fd, ...user?.spawnAs });
  } finally {
    await log.close();
  }
}

async function findLibrary(): Promise<string> {
  const root = fetchDebianPackage('libfaketime', console.log);
  const files = root === undefined ? [] : await readdir(root, { recursive: true });
  const found = files.find((file) => file.endsWith(`/${LIBRARY}`));
  if (found === undefined) throw new Error('libfaketime is missing: it is fetched with apt-get');
  return join(root!, found);
}
