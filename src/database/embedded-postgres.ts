import { mkdir, realpath } from 'node:fs/promises';
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
  stop(): Promise<void>;
}

/**
 * Runs a real PostgreSQL for this service alone: its files lie in the data folder, only this machine reaches it, and it ends when the
 * service ends, however that happens. One service at a time may use a data folder.
 */
export async function startEmbeddedPostgres(dataDir: string, options: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  const report = options.onProgress ?? (() => undefined);
  await mkdir(dataDir, { recursive: true });
  const folder = await realpath(dataDir);
  const unlock = await lockDataFolder(folder);
  try {
    const server = new EmbeddedServer(await openCluster(folder, report), options.settings ?? {}, report);
    const url = await server.start();
    let stopped: Promise<void> | undefined;
    return { url, stop: () => (stopped ??= server.stop().finally(unlock)) };
  } catch (error) {
    await unlock();
    throw error;
  }
}
