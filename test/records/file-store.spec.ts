import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { Config } from '../../src/config.js';
import { FileStore } from '../../src/records/file-store.js';

test('what a killed process left of an upload is removed after a day, and not before', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-files-'));
  try {
    const incoming = join(dataDir, 'files', 'incoming');
    await mkdir(incoming, { recursive: true });
    await writeFile(join(incoming, 'old'), 'half');
    await writeFile(join(incoming, 'young'), 'half');
    const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
    await utimes(join(incoming, 'old'), twoDaysAgo, twoDaysAgo);
    const store = new FileStore(Config.from({ DATA_DIR: dataDir }), undefined as unknown as DataSource);
    await store.onApplicationBootstrap();
    expect(await readdir(incoming)).toEqual(['young']);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});
