import type { FastifyRequest } from 'fastify';
import { invalidField } from '../../common/app-error.js';
import { type FormPart, readMultipart } from '../../common/multipart.js';
import type { UploadPart } from '../../records/uploads/upload-form.js';

const MAX_FIELDS = 20;
const MAX_FIELD_BYTES = 1_000;

/**
 * The parts of an upload's form as they come in; each file's size is its reader's to bound.
 * @throws AppError INVALID_INPUT when the form is broken or has too many or too long fields
 */
export async function* formParts({ raw, headers }: FastifyRequest): AsyncGenerator<UploadPart> {
  let fields = 0;
  for await (const part of readMultipart(raw, headers['content-type'])) {
    if (part.filename !== undefined) yield { field: part.name, filename: part.filename, source: part.body };
    else if (++fields > MAX_FIELDS) throw invalidField(part.name, `the form has more than ${MAX_FIELDS} fields`, 'too_big');
    else yield { field: part.name, value: await textOf(part) };
  }
}

async function textOf({ name, body }: FormPart): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > MAX_FIELD_BYTES) throw invalidField(name, `may have at most ${MAX_FIELD_BYTES} bytes`, 'too_big');
    pieces.push(piece);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw invalidField(name, 'must be text in UTF-8', 'invalid_type');
  }
}
