import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import { PermanentError } from '../../operations/item-handler.js';
import { FileContents } from '../../records/contents/file-contents.js';
import { RecordStore } from '../../records/record-store.js';
import { MAX_TEXT, type SourceDocument, toSourceDocument } from './source-document.js';

const COLLECTION = 'documents';

/** Finds a document by its id: a record of the collection `documents` with that key, and its file; else the stored file of that id. */
@Injectable()
export class DocumentReader {
  constructor(
    private readonly records: RecordStore,
    private readonly files: FileContents,
  ) {}

  /** @throws PermanentError for an id that the tenant does not have, and for a file that can never be read */
  async read(tenant: string, id: string, signal: AbortSignal): Promise<SourceDocument> {
    const record = (await this.records.byKeys({ tenant, collection: COLLECTION }, [id])).get(id);
    if (record) return this.readRecord(tenant, record, signal);
    if (!isUUID(id)) throw new PermanentError(`document ${id} not found`);
    const { text, cut } = await this.readFile(tenant, id, signal, `document ${id} not found`);
    return toSourceDocument({}, text, cut);
  }

  private async readRecord(
    tenant: string,
    record: { key: string; fields: Record<string, unknown>; fileId: string | null },
    signal: AbortSignal,
  ) {
    const { key, fields, fileId } = record;
    if (fileId === null) return toSourceDocument(fields, '');
    const { text, cut } = await this.readFile(tenant, fileId, signal, `the file of document ${key} is not there (any more)`);
    return toSourceDocument(fields, text, cut);
  }

  private async readFile(tenant: string, fileId: string, signal: AbortSignal, notFound: string): Promise<{ text: string; cut: boolean }> {
    try {
      const { text, characters } = await this.files.read(tenant, fileId, { signal, maxTextCharacters: MAX_TEXT });
      return { text, cut: characters > text.length };
    } catch (error) {
      if (error instanceof AppError && error.code === 'NOT_FOUND') throw new PermanentError(notFound);
      if (error instanceof AppError && error.code === 'UNPROCESSABLE') throw new PermanentError(error.message);
      throw error;
    }
  }
}
