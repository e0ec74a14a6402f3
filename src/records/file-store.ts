import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { AppError } from '../common/app-error.js';
import { outageOf } from '../common/outage.js';
import { textHead } from '../common/text/text-head.js';
import { Config } from '../config.js';
import { FreeSpace } from '../database/free-space.js';
import { DATA_SOURCE, Database } from '../database/sql.js';
import { FileEntity } from './entities/file.entity.js';
import { toFileFault } from './file-faults.js';
import { bytesOfFiles, listFile, unlistFiles } from './store/stored-files.js';
import { placeBytes, readBytes, type Stored, writeBytes } from './stored-bytes.js';

export interface NewFile {
  tenant: string;
  /** What the caller calls it. Data only: no path is made from it. */
  name: string;
  mediaType: string;
  /** The upload that it belongs to; without one it stays until somebody removes it. */
  uploadId?: string;
}

const ABANDONED_MS = 86_400_000;
/** Ends the name of a mark in `incoming`: a file of this id has its place, and may not be listed in the database. */
const UNSURE = '.unsure';
/** Written between two looks at the disk's free space. */
const BYTES_BETWEEN_LOOKS = 8_000_000;
/** Of a file that is read as text. */
const MAX_TEXT_BYTES = 20_000;

/** Files on the local disk, under `<data folder>/files`. A file is there whole or not at all, and never changes. */
@Injectable()
export class FileStore implements OnApplicationBootstrap {
  private readonly folder: string;
  private readonly incoming: string;

  constructor(
    private readonly config: Config,
    private readonly space: FreeSpace,
    private readonly database: Database,
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
      if (Date.now() - mtimeMs <= ABANDONED_MS) continue;
      if (name.endsWith(UNSURE)) await this.removeUnlisted(name.slice(0, -UNSURE.length));
      await rm(path, { force: true });
    }
  }

  /**
   * @throws AppError TOO_LARGE beyond MAX_UPLOAD_BYTES and TENANT_FILES_BYTES, NO_SPACE on a disk that is full or soon would be, UNAVAILABLE on one that fails; nothing is kept of a file
   * that was not stored whole
   */
  async save(source: AsyncIterable<Buffer>, { tenant, name, mediaType, uploadId }: NewFile): Promise<FileEntity> {
    const id = randomUUID();
    const partial = join(this.incoming, id);
    const path = this.pathOf({ id });
    const unsure = partial + UNSURE;
    let isListed: boolean | undefined = false;
    try {
      const bytes = await writeBytes(this.limited(source, tenant), partial);
      await writeFile(unsure, '').catch(refuse);
      await placeBytes(partial, path);
      isListed = undefined;
      const file = await listFile(
        this.database.pool,
        { id, tenant, name, mediaType, ...bytes, uploadId: uploadId ?? null },
        this.config.tenantFilesBytes,
      );
      if (!file) throw tooMany(this.config.tenantFilesBytes);
      isListed = true;
      return file;
    } catch (error) {
      if (!outageOf(error)) isListed = false;
      throw error;
    } finally {
      await discard(partial);
      // Without an answer of the database nobody knows whether it lists the file: that is looked up when it is a day old.
      if (isListed || (isListed === false && (await discard(path)))) await discard(unsure);
    }
  }

  /**
   * Keeps bytes that come only once on the disk, for somebody who has to read them more often and removes them then.
   * @throws AppError as `save` does
   */
  async spool(source: AsyncIterable<Buffer>): Promise<{ read: () => AsyncIterable<Buffer>; remove: () => Promise<void> }> {
    const id = randomUUID();
    const path = join(this.incoming, id);
    const remove = (): Promise<void> => rm(path, { force: true });
    try {
      const bytes = await writeBytes(this.limited(source), path);
      return { read: () => readBytes({ id, ...bytes }, path), remove };
    } catch (error) {
      await discard(path);
      throw error;
    }
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
    if (ids.length > 0) await unlistFiles(this.database.pool, ids);
  }

  /**
   * The file's bytes.
   * @param limit read no more than this many, unchecked
   * @throws AppError CONFLICT when they are gone or are not those that were stored: of a file that was changed only after the last of them
   */
  read(file: Stored, limit?: number): AsyncGenerator<Buffer> {
    return readBytes(file, this.pathOf(file), limit);
  }

  /** Reads the file once, for those who then read it by its path. @throws AppError as `read` does */
  async verify(file: Stored, signal?: AbortSignal): Promise<void> {
    for await (const chunk of this.read(file)) if (chunk.length > 0) signal?.throwIfAborted();
  }

  /**
   * The beginning of a file, when it is text; undefined for other files and for those that the tenant does not have (any more).
   * @throws AppError CONFLICT when its bytes are gone
   */
  async readText(tenant: string, id: string): Promise<string | undefined> {
    const file = await this.dataSource.getRepository(FileEntity).findOneBy({ id, tenant });
    if (!file) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of this.read(file, MAX_TEXT_BYTES)) chunks.push(chunk);
    // The last character may be cut.
    return textHead(Buffer.concat(chunks))?.replace(/\ufffd$/, '');
  }

  /** @param tenant whose bytes they will be */
  private async *limited(source: AsyncIterable<Buffer>, tenant?: string): AsyncGenerator<Buffer> {
    const { maxUploadBytes, tenantFilesBytes } = this.config;
    const isCounted = tenant !== undefined && tenantFilesBytes > 0;
    const left = isCounted ? tenantFilesBytes - (await bytesOfFiles(this.database.pool, tenant)) : Infinity;
    let size = 0;
    let lookAt = 1;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxUploadBytes) throw tooLarge(maxUploadBytes);
      if (size > left) throw tooMany(tenantFilesBytes);
      // Within the loop, so that a source that is refused is ended as well: a request's body is thrown away, and its sender hears why.
      if (size >= lookAt) {
        await this.space.assertSpace('files', 'database');
        lookAt = size + BYTES_BETWEEN_LOOKS;
      }
      yield chunk;
    }
  }

  /** Bytes that nobody can ask for, because their process died, or the database did, before they were listed. */
  private async removeUnlisted(id: string): Promise<void> {
    if (await this.dataSource.getRepository(FileEntity).existsBy({ id })) return;
    await rm(this.pathOf({ id }), { force: true });
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

function tooMany(limit: number): AppError {
  return new AppError(
    'TOO_LARGE',
    `with this file there would be more than ${limit} bytes of files (TENANT_FILES_BYTES); delete some first`,
  );
}

/** @returns whether it is gone. What the disk does not let go now is removed when it is a day old. */
async function discard(path: string): Promise<boolean> {
  return rm(path, { force: true }).then(
    () => true,
    () => false,
  );
}

function refuse(error: unknown): never {
  throw toFileFault(error);
}
