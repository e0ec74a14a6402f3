import { Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { randomUUID } from 'node:crypto';
import { IsString, MaxLength, MinLength } from 'class-validator';
import { invalidField } from '../../common/app-error.js';
import { checkInput } from '../../common/check-input.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import { FileStore } from '../file-store.js';
import { type FileView, toFileView } from '../record.view.js';
import { keepFilesOfForm } from '../store/stored-files.js';

/** One of the files, as UploadFile takes it. */
export class FileOfForm {
  @IsString() @MinLength(1) @MaxLength(500) name: string;
  @IsString() @MinLength(1) @MaxLength(200) mediaType: string;
  @Opaque() source: AsyncIterable<Buffer>;
}

/** Stores several files that come one after the other: all of them, or none. */
export class UploadFiles extends Command<FileView[]> {
  @Opaque() files: AsyncIterable<FileOfForm>;

  caller: Caller;
}

@CommandHandler(UploadFiles)
export class UploadFilesHandler implements ICommandHandler<UploadFiles> {
  private readonly logger = new Logger(UploadFiles.name);

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly store: FileStore,
  ) {}

  /** @throws AppError INVALID_INPUT for none and for more than UPLOAD_MAX_FILES, and whatever each of them is refused with */
  async execute({ files, caller }: UploadFiles): Promise<FileView[]> {
    const { uploadMaxFiles } = this.config;
    // Until the form is complete they are those of an upload that has no batch: the file cleaner removes them if this process dies.
    const uploadId = randomUUID();
    const stored: FileView[] = [];
    try {
      for await (const file of files) {
        if (stored.length === uploadMaxFiles) {
          throw invalidField(
            'file',
            `comes more than ${uploadMaxFiles} times (UPLOAD_MAX_FILES); send the others in another form`,
            'too_big',
          );
        }
        const { name, mediaType, source } = checkInput(FileOfForm, file, 'file');
        stored.push(toFileView(await this.store.save(source, { tenant: caller.tenant, name, mediaType, uploadId })));
      }
      if (stored.length === 0) throw invalidField('file', 'the form has no file; add one as a part with a file name');
      await keepFilesOfForm(this.database.pool, uploadId);
      return stored.map((file) => ({ ...file, uploadId: null }));
    } catch (error) {
      await this.discard(stored);
      throw error;
    }
  }

  /** What fails here must not hide why the form was refused. */
  private async discard(stored: FileView[]): Promise<void> {
    const ids = stored.map(({ id }) => id);
    await this.store
      .remove(ids)
      .catch((error: unknown) =>
        this.logger.warn({ err: error, ids }, 'files of a refused form are still there; they are removed within two days'),
      );
  }
}
