import { invalidField } from '../../common/app-error.js';
import { isStorable, toStorableText, UNSTORABLE_TEXT } from '../../common/safe-json.js';

/** A part of a form as it comes in: a field, or a file whose bytes are still on their way. */
export type UploadPart = { field: string; value: string } | { field: string; filename: string; source: AsyncIterable<Buffer> };

const PRIORITIES = ['high', 'normal', 'low'] as const;
type UploadPriority = (typeof PRIORITIES)[number];

const MAX_USER_ID = 200;
const MAX_NAME = 255;

/** What an upload's form says besides its files. Fields may come before and after them; an empty one is as good as none. */
export class UploadForm {
  priority: UploadPriority = 'normal';
  userId?: string;
  private readonly seen = new Set<string>();

  /** @throws AppError INVALID_INPUT for a field that is unknown, wrong, or there twice */
  addField(name: string, value: string): void {
    if (this.seen.has(name)) throw invalidField(name, 'is there twice; send it once');
    this.seen.add(name);
    switch (name) {
      case 'priority':
        this.priority = value === '' ? 'normal' : toPriority(value);
        return;
      case 'user_id':
        this.userId = value === '' ? undefined : toUserId(value);
        return;
      case 'file':
        throw invalidField('file', 'must be an upload, and is text; with curl put an @ before the path', 'invalid_type');
      default:
        throw invalidField(name, 'is not a field of this form; it has file (repeated), priority and user_id', 'unrecognized_keys');
    }
  }
}

function toPriority(value: string): UploadPriority {
  const known = PRIORITIES.find((priority) => priority === value);
  if (!known) throw invalidField('priority', `must be one of ${PRIORITIES.join(', ')}`, 'invalid_enum_value');
  return known;
}

function toUserId(value: string): string {
  if (value.length > MAX_USER_ID) throw invalidField('user_id', `may have at most ${MAX_USER_ID} characters`, 'too_big');
  if (!isStorable(value)) throw invalidField('user_id', UNSTORABLE_TEXT);
  return value;
}

/** A file's name as data: what stands before the last slash is left out, and no path is ever made from it. @param at "file.0" */
export function cleanName(filename: string, at: string): string {
  const name = toStorableText(filename.split(/[/\\]/).at(-1)!.trim());
  if (name === '') throw invalidField(at, 'has no name; choose one, or leave the field out');
  if (name.length <= MAX_NAME) return name;
  throw invalidField(at, `the file's name has ${name.length} characters; at most ${MAX_NAME} are allowed`, 'too_big');
}

/** @throws AppError INVALID_INPUT for a file in a field of another name */
export function assertFileField(field: string): void {
  if (field !== 'file') throw invalidField(field, 'takes no uploads; send each one in the field file', 'unrecognized_keys');
}
