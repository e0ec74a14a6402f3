import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString, MaxLength } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { FileStore } from '../file-store.js';
import { type FileView, toFileView } from '../record.view.js';

/** What is known of a stored file. */
export class GetFile extends Query<FileView> {
  @IsString() @MaxLength(100) fileId: string;

  caller: Caller;
}

@QueryHandler(GetFile)
export class GetFileHandler implements IQueryHandler<GetFile> {
  constructor(private readonly files: FileStore) {}

  /** @throws AppError NOT_FOUND */
  async execute({ fileId, caller }: GetFile): Promise<FileView> {
    return toFileView(await this.files.find(caller.tenant, fileId));
  }
}
