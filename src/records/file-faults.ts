import { AppError } from '../common/app-error.js';
import type { FileEntity } from './entities/file.entity.js';

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const LATER_MS = 30_000;

/** What the operating system refuses, in words that name no folder of this machine. */
const REASONS: Record<string, string> = {
  EACCES: 'the service has no right to its files in DATA_DIR',
  EPERM: 'the service has no right to its files in DATA_DIR',
  EROFS: 'the disk of DATA_DIR is mounted read-only',
  EIO: 'the disk of DATA_DIR fails',
  ENOENT: 'the folder for files in DATA_DIR is gone',
  ENOTDIR: 'the folder for files in DATA_DIR is gone',
  EMFILE: 'the service has too many files open',
  ENFILE: 'this machine has too many files open',
};

/**
 * A failure of the disk that holds stored files, for clients.
 * @param error what Node's file functions throw
 */
export function toFileFault(error: unknown): AppError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const details = { retryAfterMs: LATER_MS };
  if (FULL.has(code)) {
    return new AppError('NO_SPACE', 'no space left in DATA_DIR, where files are stored; try again when somebody has made room', {
      details,
      cause: error,
    });
  }
  const reason = REASONS[code] ?? 'files in DATA_DIR cannot be read or written';
  return new AppError('UNAVAILABLE', `${reason} (${code}); somebody has to look at it, then try again`, { details, cause: error });
}

/** A stored file whose bytes are not those that were stored. @param how a sentence about its bytes */
export function damagedFile({ id }: Pick<FileEntity, 'id'>, how: string): AppError {
  return new AppError('CONFLICT', `file ${id} cannot be used: ${how}; store it again with POST /api/files`);
}
