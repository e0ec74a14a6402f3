import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import { type ItemContext, PermanentError } from '../../operations/item-handler.js';
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
  async read(id: string, signal: AbortSignal, item: ItemContext): Promise<SourceDocument> {
    const record = (await this.records.byKeys({ tenant: item.tenant, collection: COLLECTION }, [id])).get(id);
    if (record) return this.readRecord(record, signal, item);
    if (!isUUID(id)) throw new PermanentError(`document ${id} not found`);
    return this.readFile(id, {}, { signal, item, notFound: `document ${id} not found` });
  }

  private async readRecord(
    record: { key: string; fields: Record<string, unknown>; fileId: string | null },
    signal: AbortSignal,
    item: ItemContext,
  ) {
    const { key, fields, fileId } = record;
    if (fileId === null) return toSourceDocument(fields, '');
    return this.readFile(fileId, fields, { signal, item, notFound: `the file of document ${key} is not there (any more)` });
  }

  private async readFile(
    fileId: string,
    fields: Record<string, unknown>,
    { signal, item, notFound }: { signal: AbortSignal; item: ItemContext; notFound: string },
  ): Promise<SourceDocument> {
    try {
      const { text, characters, warnings } = await this.files.read(item.tenant, fileId, { signal, maxTextCharacters: MAX_TEXT }, item);
      return toSourceDocument(fields, text, characters > text.length, warnings);
    } catch (error) {
      if (error instanceof AppError && error.code === 'NOT_FOUND') throw new PermanentError(notFound);
      if (error instanceof AppError && error.code === 'UNPROCESSABLE') throw new PermanentError(error.message);
      throw error;
    }
  }
}
