import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength, MinLength } from 'class-validator';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { FileStore } from '../file-store.js';
import { type FileView, toFileView } from '../record.view.js';

/** Stores a file, streamed: it is never held whole in memory. */
export class UploadFile extends Command<FileView> {
  @IsString() @MinLength(1) @MaxLength(500) name: string;
  @IsString() @MinLength(1) @MaxLength(200) mediaType: string;
  @Opaque() source: AsyncIterable<Buffer>;

  caller: Caller;
}

@CommandHandler(UploadFile)
export class UploadFileHandler implements ICommandHandler<UploadFile> {
  constructor(private readonly files: FileStore) {}

  /** @throws AppError TOO_LARGE beyond MAX_UPLOAD_BYTES; then nothing is kept */
  async execute({ name, mediaType, source, caller }: UploadFile): Promise<FileView> {
    return toFileView(await this.files.save(source, { tenant: caller.tenant, name, mediaType }));
  }
}
