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
    const bytes = heldBack(this.files.read(file));
    // Begun here, so that a file that cannot be read is refused, and whoever leaves before the first byte closes it.
    await bytes.next();
    return { file: toFileView(file), bytes };
  }
}

/**
 * Nothing, and then the bytes: the last of them only when all are known to be right, as an answer whose length was told must not look whole
 * otherwise.
 */
async function* heldBack(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const next of bytes) {
    yield held;
    held = next;
  }
  yield held;
}
