import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { AppError, invalidField } from '../../common/app-error.js';
import type { UploadPart } from '../../records/uploads/upload-form.js';

const MAX_FIELDS = 20;
const MAX_FIELD_BYTES = 1_000;

/**
 * The parts of a multipart form as they come in. When the reader stops early, the rest of the request is thrown away: cutting the
 * connection would keep the client from reading why it was refused.
 * @throws AppError INVALID_INPUT when the form is broken
 */
export async function* formParts(request: FastifyRequest, maxFiles: number): AsyncGenerator<UploadPart> {
  // One file more than allowed comes through, so that the refusal can say how many are; each file's size is its reader's to bound.
  const limits = {
    files: maxFiles + 1,
    fields: MAX_FIELDS,
    parts: maxFiles + 1 + MAX_FIELDS,
    fieldSize: MAX_FIELD_BYTES,
    fileSize: Infinity,
  };
  const parts = request.parts({ limits });
  try {
    for (let next = await read(parts); next; next = await read(parts)) yield toUploadPart(next);
  } finally {
    request.raw.unpipe();
    request.raw.resume();
  }
}

async function read(parts: AsyncIterableIterator<Multipart>): Promise<Multipart | undefined> {
  try {
    const next = (await parts.next()) as IteratorResult<Multipart, undefined>;
    return next.done ? undefined : next.value;
  } catch (error) {
    throw brokenForm(error);
  }
}

function toUploadPart(part: Multipart): UploadPart {
  // The type promises a name, and a form need not have one.
  if (!part.fieldname) throw invalidField('file', 'a part of the form has no name; send each file in the field file');
  if (part.type === 'file') return { field: part.fieldname, filename: part.filename ?? '', source: bytesOf(part) };
  if (part.valueTruncated) throw invalidField(part.fieldname, `may have at most ${MAX_FIELD_BYTES} bytes`, 'too_big');
  if (typeof part.value !== 'string') throw invalidField(part.fieldname, 'must be plain text', 'invalid_type');
  return { field: part.fieldname, value: part.value };
}

async function* bytesOf({ file }: MultipartFile): AsyncGenerator<Buffer> {
  try {
    yield* file as AsyncIterable<Buffer>;
  } catch (error) {
    throw brokenForm(error);
  }
}

function brokenForm(error: unknown): unknown {
  // A client that went away has a status of its own.
  if (error instanceof AppError || (error as { statusCode?: unknown }).statusCode !== undefined) return error;
  return new AppError('INVALID_INPUT', `the form cannot be read: ${(error as Error).message}; send it as multipart/form-data`, {
    cause: error,
  });
}
