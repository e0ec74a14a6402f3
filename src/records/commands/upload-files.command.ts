import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import { type Caller, type InputOf, Procedures } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { FileStore } from '../file-store.js';
import type { FileView } from '../record.view.js';
import { UploadFile } from './upload-file.command.js';

/** Stores several files that come one after the other: all of them, or none. */
export class UploadFiles extends Command<FileView[]> {
  @Opaque() files: AsyncIterable<InputOf<UploadFile>>;

  caller: Caller;
}

@CommandHandler(UploadFiles)
export class UploadFilesHandler implements ICommandHandler<UploadFiles> {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
    private readonly store: FileStore,
  ) {}

  /** @throws AppError INVALID_INPUT for none and for more than UPLOAD_MAX_FILES, and whatever each of them is refused with */
  async execute({ files, caller }: UploadFiles): Promise<FileView[]> {
    const { uploadMaxFiles } = this.config;
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
        stored.push(await this.procedures.call(UploadFile, file, caller));
      }
      if (stored.length === 0) throw invalidField('file', 'the form has no file; add one as a part with a file name');
      return stored;
    } catch (error) {
      await this.store.remove(stored.map(({ id }) => id));
      throw error;
    }
  }
}
