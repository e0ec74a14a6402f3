import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataSource } from 'typeorm';
import { AppError } from '../common/app-error.js';
import { textHead } from '../common/text/text-head.js';
import { Config } from '../config.js';
import { DATA_SOURCE } from '../database/sql.js';
import { FileEntity } from './entities/file.entity.js';

export interface NewFile {
  tenant: string;
  /** What the caller calls it. Data only: no path is made from it. */
  name: string;
  mediaType: string;
  /** The upload that it belongs to; without one it stays until somebody removes it. */
  uploadId?: string;
}

const ABANDONED_MS = 86_400_000;
/** Of a file that is read as text. */
const MAX_TEXT_BYTES = 20_000;

/** Files on the local disk, under `<data folder>/files`. A file is there whole or not at all, and never changes. */
@Injectable()
export class FileStore implements OnApplicationBootstrap {
  private readonly folder: string;
  private readonly incoming: string;

  constructor(
    private readonly config: Config,
    @InjectDataSource(DATA_SOURCE) private readonly dataSource: DataSource,
  ) {
    this.folder = join(config.dataDir, 'files');
    this.incoming = join(this.folder, 'incoming');
  }

  async onApplicationBootstrap(): Promise<void> {
    await mkdir(this.incoming, { recursive: true });
    await this.removeAbandoned();
  }

  /** Removes what processes that died left of files they were storing. Another process may be at work on younger ones. */
  async removeAbandoned(): Promise<void> {
    for (const name of await readdir(this.incoming)) {
      const path = join(this.incoming, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { force: true });
    }
  }

  /** @throws AppError TOO_LARGE beyond MAX_UPLOAD_BYTES; nothing is kept of a file that was not stored whole */
  async save(source: AsyncIterable<Buffer>, { tenant, name, mediaType, uploadId }: NewFile): Promise<FileEntity> {
    const id = randomUUID();
    const partial = join(this.incoming, id);
    const path = this.pathOf({ id });
    try {
      const { size, sha256 } = await this.write(source, partial);
      await mkdir(dirname(path), { recursive: true });
      await rename(partial, path);
      return await this.dataSource.getRepository(FileEntity).save({ id, tenant, name, mediaType, size: String(size), sha256, uploadId });
    } catch (error) {
      await Promise.all([rm(partial, { force: true }), rm(path, { force: true })]);
      throw error;
    }
  }

  /**
   * Keeps bytes that come only once on the disk, for somebody who has to read them more often and removes them then.
   * @throws AppError TOO_LARGE beyond MAX_UPLOAD_BYTES
   */
  async spool(source: AsyncIterable<Buffer>): Promise<{ read: () => AsyncIterable<Buffer>; remove: () => Promise<void> }> {
    const path = join(this.incoming, randomUUID());
    const remove = (): Promise<void> => rm(path, { force: true });
    try {
      await this.write(source, path);
    } catch (error) {
      await remove();
      throw error;
    }
    return { read: () => createReadStream(path), remove };
  }

  /** @throws AppError NOT_FOUND for an id that the tenant does not have */
  async find(tenant: string, id: string): Promise<FileEntity> {
    const file = isUuid(id) ? await this.dataSource.getRepository(FileEntity).findOneBy({ id, tenant }) : null;
    if (!file) throw new AppError('NOT_FOUND', `file ${id} not found; POST /api/files stores one and answers its id`);
    return file;
  }

  /** Removes files for good. The bytes go first: a row without bytes is found again, bytes without a row are not. */
  async remove(ids: string[]): Promise<void> {
    for (const id of ids) await rm(this.pathOf({ id }), { force: true });
    if (ids.length > 0) await this.dataSource.getRepository(FileEntity).delete(ids);
  }

  /** The file's bytes. @param limit read no more than this many */
  read(file: Pick<FileEntity, 'id'>, limit?: number): AsyncIterable<Buffer> {
    return createReadStream(this.pathOf(file), { end: limit === undefined ? undefined : limit - 1 });
  }

  /** The beginning of a file, when it is text; undefined for other files and for those that are not there any more. */
  async readText(tenant: string, id: string): Promise<string | undefined> {
    const file = await this.dataSource.getRepository(FileEntity).findOneBy({ id, tenant });
    if (!file) return undefined;
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of this.read(file, MAX_TEXT_BYTES)) chunks.push(chunk);
      // The last character may be cut.
      return textHead(Buffer.concat(chunks))?.replace(/\ufffd$/, '');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  private async write(source: AsyncIterable<Buffer>, path: string): Promise<{ size: number; sha256: string }> {
    const hash = createHash('sha256');
    let size = 0;
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of source) {
        size += chunk.length;
        if (size > this.config.maxUploadBytes) throw tooLarge(this.config.maxUploadBytes);
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    return { size, sha256: hash.digest('hex') };
  }

  /** Where the bytes lie, for readers that jump about in a file. Two letters of the id as folder, so that no folder grows to millions of entries. */
  pathOf({ id }: Pick<FileEntity, 'id'>): string {
    return join(this.folder, id.slice(0, 2), id);
  }
}

function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(id);
}

function tooLarge(limit: number): AppError {
  return new AppError('TOO_LARGE', `the file is larger than ${limit} bytes (MAX_UPLOAD_BYTES); send it in parts`);
}
