import { mkdir, realpath } from 'node:fs/promises';
import { explainOutages } from '../common/outage.js';
import { openCluster } from './embedded-cluster.js';
import { lockDataFolder } from './embedded-lock.js';
import { EmbeddedServer } from './embedded-server.js';

export interface EmbeddedPostgresOptions {
  /** Told what takes its time or went wrong, one plain sentence each. */
  onProgress?: (message: string) => void;
  /** Server settings beside our own, as in postgresql.conf. */
  settings?: Record<string, string>;
}

export interface EmbeddedPostgres {
  url: string;
  /** Fulfilled, with the reason, when the server has ended and waiting for another one is hopeless. Never rejects. */
  lost: Promise<string>;
  stop(): Promise<void>;
}

/** Of a process whose database's files or programs are damaged (EX_IOERR): starting it again on this machine does not help. */
export const DATABASE_LOST_EXIT_CODE = 74;

/**
 * Runs a real PostgreSQL for this service alone: its files lie in the data folder, only this machine reaches it, and it ends when the
 * service ends, however that happens. One service at a time may use a data folder.
 * @throws ServerStartError when PostgreSQL does not start
 */
export async function startEmbeddedPostgres(dataDir: string, options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const report = options.onProgress ?? (() => undefined);
  await mkdir(dataDir, { recursive: true });
  const folder = await realpath(dataDir);
  const unlock = await lockDataFolder(folder);
  try {
    const server = new EmbeddedServer(await openCluster(folder, report), options.settings ?? {}, report);
    const url = await server.start();
    const forget = explainOutages(() => server.trouble);
    const stop = async (): Promise<void> => {
      forget();
      await server.stop().finally(unlock);
    };
    let stopped: Promise<void> | undefined;
    return { url, lost: server.lost, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await unlock();
    throw error;
  }
}
