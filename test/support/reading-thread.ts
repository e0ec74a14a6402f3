import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Config } from '../../src/config.js';
import type { PdfContents } from '../../src/records/contents/contents.js';
import { Threads } from '../../src/threads/threads.js';

const MODULE = pathToFileURL(join(__dirname, '../../dist/records/contents/read-contents.thread.js'));

/** Reads files in threads as the service does, without the rest of it. Close it. */
export class ReadingThread {
  private readonly threads = new Threads(Config.from({ NODE_ENV: 'test' }));
  private folder?: Promise<string>;
  private count = 0;

  async pdf(bytes: Buffer, options: { maxTextCharacters?: number; cpuMs?: number } = {}): Promise<PdfContents> {
    const { maxTextCharacters = 100_000, cpuMs } = options;
    const folder = await (this.folder ??= mkdtemp(join(tmpdir(), 'batchwise-reading-')));
    const path = join(folder, `${(this.count += 1)}.pdf`);
    await writeFile(path, bytes);
    const cpu = cpuMs === undefined ? undefined : { ms: cpuMs, setBy: 'allowed' };
    const input = { kind: 'pdf', path, size: bytes.length, maxTextCharacters };
    return this.threads.run<PdfContents>({ module: MODULE, input, memoryMb: 256, cpu }, { signal: new AbortController().signal });
  }

  async close(): Promise<void> {
    await this.threads.onApplicationShutdown();
    if (this.folder) await rm(await this.folder, { recursive: true, force: true });
  }
}
