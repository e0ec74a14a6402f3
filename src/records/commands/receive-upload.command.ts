import { Logger } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength } from 'class-validator';
import { randomUUID } from 'node:crypto';
import type { BatchView } from '../../batches/batch.view.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { errorOf, fieldError, invalidField } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import { type Caller, callerWithin, Procedures } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import type { FileEntity } from '../entities/file.entity.js';
import { FileStore } from '../file-store.js';
import { type FileView, toFileView } from '../record.view.js';
import { findFilesWithoutBatch } from '../store/find-orphaned-files.js';
import { giveUploadBack, type Uploader } from '../store/spend-upload.js';
import { acceptedTypeOf } from '../uploads/accepted-type.js';
import { checkContent } from '../uploads/check-content.js';
import { refusedFile } from '../uploads/refused-file.js';
import { UploadAllowance } from '../uploads/upload-allowance.js';
import { assertFileField, cleanName, UploadForm, type UploadPart } from '../uploads/upload-form.js';

/**
 * Takes a form of files, stores them while they come in, and makes a batch that reads them, one item a file. All or nothing: of an
 * upload that is refused no file is kept, and it is not counted.
 */
export class ReceiveUpload extends Command<ReceivedUpload> {
  @Opaque() parts: AsyncIterable<UploadPart>;
  /** Where the request came from: who uploads, when nothing else tells. */
  @IsString() @MaxLength(100) address: string;

  caller: Caller;
}

export interface ReceivedUpload {
  batch: BatchView;
  /** In the order of the form. */
  files: FileView[];
}

type FilePart = Extract<UploadPart, { filename: string }>;

@CommandHandler(ReceiveUpload)
export class ReceiveUploadHandler implements ICommandHandler<ReceiveUpload> {
  private readonly logger = new Logger(ReceiveUpload.name);

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly procedures: Procedures,
    private readonly files: FileStore,
    private readonly allowance: UploadAllowance,
  ) {}

  /** @throws AppError INVALID_INPUT, UNSUPPORTED_TYPE or TOO_LARGE naming the file, RATE_LIMITED saying when the next upload may come */
  async execute(input: ReceiveUpload): Promise<ReceivedUpload> {
    const { address, caller } = input;
    const uploadId = randomUUID();
    try {
      const form = new UploadForm();
      const files = await this.store(uploadId, form, input);
      if (files.length === 0)
        throw invalidField('file', 'is missing from the form; with curl add it with -F, and an @ before the path', 'too_small');
      await this.allowance.spend(uploadId, uploaderOf(form, address, caller));
      const views = files.map(toFileView);
      const within = callerWithin(caller, ReceiveUpload, (batch: BatchView) => ({ batch, files: views }));
      return { batch: await this.createBatch(uploadId, form, files, within), files: views };
    } catch (error) {
      await this.discard(uploadId);
      throw error;
    }
  }

  private async store(uploadId: string, form: UploadForm, { parts, address, caller }: ReceiveUpload): Promise<FileEntity[]> {
    const files: FileEntity[] = [];
    for await (const part of parts) {
      if ('value' in part) {
        form.addField(part.field, part.value);
        assertOwnName(form, caller);
        continue;
      }
      // Known before the first byte is stored, a user who has no upload left need not send the rest.
      if (files.length === 0 && userOf(form, caller) !== undefined) await this.allowance.assertLeft(uploaderOf(form, address, caller));
      files.push(await this.storeFile(part, files.length, { uploadId, tenant: caller.tenant }));
    }
    return files;
  }

  private async storeFile(part: FilePart, index: number, owner: { uploadId: string; tenant: string }): Promise<FileEntity> {
    const at = `file.${index}`;
    assertFileField(part.field);
    const { uploadMaxFiles } = this.config;
    if (index >= uploadMaxFiles)
      throw refusedFile('INVALID_INPUT', 'file', `at most ${uploadMaxFiles} files may come in one upload`, 'too_big');
    const name = cleanName(part.filename, at);
    const { type, mediaType } = acceptedTypeOf(name, at);
    const file = await this.files.save(this.limited(part.source, name, at), { ...owner, name, mediaType });
    await checkContent(type, { path: this.files.pathOf(file), name, size: Number(file.size), at });
    return file;
  }

  private async *limited(source: AsyncIterable<Buffer>, name: string, at: string): AsyncGenerator<Buffer> {
    const { uploadMaxFileBytes } = this.config;
    let size = 0;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > uploadMaxFileBytes) {
        const message = `${name} is larger than ${uploadMaxFileBytes} bytes (UPLOAD_MAX_FILE_BYTES); split it`;
        throw refusedFile('TOO_LARGE', at, message, 'too_big');
      }
      yield chunk;
    }
  }

  private createBatch(uploadId: string, form: UploadForm, files: FileEntity[], caller: Caller): Promise<BatchView> {
    const items = files.map(({ id, name, size, sha256 }) => {
      return { key: id, payload: { fileId: id, filename: name, size: Number(size), sha256 } };
    });
    const input = { operation: 'read-file', parameters: { uploadId }, items, options: { priority: form.priority } };
    return this.procedures.call(CreateBatch, input, { ...caller, subject: form.userId ?? caller.subject });
  }

  /** Removes what was stored, unless a batch was made of it after all. What fails here the file cleaner does later. */
  private async discard(uploadId: string): Promise<void> {
    try {
      const ids = await findFilesWithoutBatch(this.database.pool, uploadId);
      await this.files.remove(ids);
      if (ids.length > 0) await giveUploadBack(this.database.pool, uploadId);
    } catch (error) {
      this.logger.warn({ err: error, uploadId }, 'the files of a refused upload are still there; they are removed within a day');
    }
  }
}

/** An API key may upload for any user, a token only for its own. */
function assertOwnName({ userId }: UploadForm, { personal, subject }: Caller): void {
  if (!personal || userId === undefined || userId === subject) return;
  throw errorOf('FORBIDDEN', [fieldError('user_id', `is ${userId}, but the token is that of ${subject}; leave it out`)]);
}

function userOf({ userId }: UploadForm, { personal, subject }: Caller): string | undefined {
  return userId ?? (personal ? subject : undefined);
}

function uploaderOf(form: UploadForm, address: string, caller: Caller): Uploader {
  const { tenant, subject } = caller;
  const credentialKey = subject === undefined ? `address:${address}` : `subject:${subject}`;
  const user = userOf(form, caller);
  return { tenant, credentialKey, userKey: user === undefined ? credentialKey : `user:${user}` };
}
