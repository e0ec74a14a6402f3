import { HttpException } from '@nestjs/common';
import { AppError, type ErrorDetails, type FieldError, HTTP_STATUS } from './app-error.js';
import { outageOf } from './outage.js';

/** The one error body of every interface. `error` and `message` are the same sentence: the documents' clients read either. */
export interface ProblemBody {
  success: false;
  error: string;
  message: string;
  statusCode: number;
  details: { errors: FieldError[] };
}

export interface Problem {
  body: ProblemBody;
  /** Milliseconds after which it may be tried again. */
  retryAfterMs?: number;
  /** False for what nobody foresaw: the log needs the cause, the wire gets nothing of it. */
  expected: boolean;
}

/** PostgreSQL's codes for text that it cannot store: a NUL character, half a surrogate pair. */
const UNSTORABLE_TEXT = new Set(['22021', '22P05']);

const FASTIFY_SENTENCES: Record<string, string> = {
  FST_ERR_CTP_BODY_TOO_LARGE:
    'the body is larger than 1 MB; send less at a time, or the items of a batch as a stream of NDJSON lines to POST /api/batches/:id/items',
  FST_ERR_CTP_INVALID_MEDIA_TYPE:
    'this content type is not read here; send the body as application/json, items and rows also as application/x-ndjson, rows as text/csv',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'the body is not as long as its content-length header says',
};

/** Anything thrown, as what the client is told. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof AppError) return known(HTTP_STATUS[thrown.code], thrown.message, thrown.details);
  if (thrown instanceof HttpException) return known(thrown.getStatus(), sentenceOf(thrown));
  const outage = outageOf(thrown);
  if (outage) return known(HTTP_STATUS[outage.kind === 'no-space' ? 'NO_SPACE' : 'UNAVAILABLE'], outage.message, outage);
  if (UNSTORABLE_TEXT.has(codeOf(thrown)))
    return known(400, 'the request has a character that cannot be stored, such as NUL; leave it out');
  if (isHangUp(thrown)) return known(400, 'the request ended before its body did');
  const status = clientStatusOf(thrown);
  if (status) return known(status, sentenceOf(thrown as Error));
  return { ...known(HTTP_STATUS.INTERNAL, 'something went wrong in the service; it has been logged'), expected: false };
}

function known(statusCode: number, message: string, details: ErrorDetails = {}): Problem {
  return {
    body: { success: false, error: message, message, statusCode, details: { errors: details.errors ?? [] } },
    retryAfterMs: details.retryAfterMs,
    expected: true,
  };
}

function sentenceOf(error: Error): string {
  const sentence = FASTIFY_SENTENCES[codeOf(error)] ?? FASTIFY_SENTENCES[codeOf(error.cause)];
  if (sentence) return sentence;
  const noRoute = /^Cannot ([A-Z]+) ([^?]*)/.exec(error.message);
  return noRoute ? `${noRoute[1]} ${noRoute[2]} is not a route of this service; /docs lists the routes` : error.message;
}

function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** Errors of Fastify and its plugins about the request carry a 4xx status; a 5xx of theirs is a fault of ours. */
function clientStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined;
  return error.statusCode >= 400 && error.statusCode < 500 ? error.statusCode : undefined;
}

/** The client went away while its body was read; nobody reads this answer, and it is no fault to be logged. */
function isHangUp(error: unknown): boolean {
  return error instanceof Error && error.message === 'aborted' && codeOf(error) === 'ECONNRESET';
}
