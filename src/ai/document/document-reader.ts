import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { FileStore } from '../../records/file-store.js';
import { RecordStore } from '../../records/record-store.js';
import { type SourceDocument, toSourceDocument } from './source-document.js';

/** The collection whose records are documents. */
export const DOCUMENTS = 'documents';

/** Finds a document by its id: a record of the collection `documents` with that key, and its file; else the stored file of that id. */
@Injectable()
export class DocumentReader {
  constructor(
    private readonly records: RecordStore,
    private readonly files: FileStore,
  ) {}

  /** @returns undefined for an id that the tenant does not have */
  async read(tenant: string, id: string): Promise<SourceDocument | undefined> {
    const record = (await this.records.byKeys({ tenant, collection: DOCUMENTS }, [id])).get(id);
    const fileId = record ? record.fileId : isUUID(id) ? id : null;
    const fileText = fileId === null ? undefined : await this.files.readText(tenant, fileId);
    if (!record && fileText === undefined) return undefined;
    return toSourceDocument(record?.fields ?? {}, fileText ?? '');
  }
}
