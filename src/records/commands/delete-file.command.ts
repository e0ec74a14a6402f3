import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { FileStore } from '../file-store.js';

export class DeletedFile {
  deleted: true;
}

/** Removes a stored file for good. Items that have not read it yet fail, and records that name it keep an id of nothing. */
export class DeleteFile extends Command<DeletedFile> {
  @IsString() @MaxLength(100) fileId: string;

  caller: Caller;
}

@CommandHandler(DeleteFile)
export class DeleteFileHandler implements ICommandHandler<DeleteFile> {
  constructor(private readonly files: FileStore) {}

  /** @throws AppError NOT_FOUND, and CONFLICT for a file of an upload, which goes with the upload's batch */
  async execute({ fileId, caller }: DeleteFile): Promise<DeletedFile> {
    const { id, uploadId } = await this.files.find(caller.tenant, fileId);
    if (uploadId !== null) {
      throw new AppError('CONFLICT', `file ${id} came with an upload (POST /api/batch/upload) and goes with its batch; delete that`);
    }
    await this.files.remove([id]);
    return { deleted: true };
  }
}
