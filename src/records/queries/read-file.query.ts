import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString, MaxLength } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { FileStore } from '../file-store.js';
import { type FileView, toFileView } from '../record.view.js';

/** A stored file with its bytes. */
export interface ReadableFile {
  file: FileView;
  /** To be read to its end, or left with `return`. Throws AppError CONFLICT after the last of them if they are not those that were stored. */
  bytes: AsyncGenerator<Buffer>;
}

/** Opens a stored file. */
export class ReadFile extends Query<ReadableFile> {
  @IsString() @MaxLength(100) fileId: string;

  caller: Caller;
}

@QueryHandler(ReadFile)
export class ReadFileHandler implements IQueryHandler<ReadFile> {
  constructor(private readonly files: FileStore) {}

  /** @throws AppError NOT_FOUND, and CONFLICT when its bytes are gone or are not as many as were stored */
  async execute({ fileId, caller }: ReadFile): Promise<ReadableFile> {
    const file = await this.files.find(caller.tenant, fileId);
    const bytes = this.files.read(file);
    const first = await bytes.next();
    return { file: toFileView(file), bytes: heldBack(first, bytes) };
  }
}

/** Gives the last piece only when all of them are known to be right: an answer whose length was told must not look whole otherwise. */
async function* heldBack(first: IteratorResult<Buffer>, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (first.done) return;
  let held = first.value;
  for await (const next of rest) {
    yield held;
    held = next;
  }
  yield held;
}
