import { HttpException } from '@nestjs/common';
import { TRPCError, type TRPC_ERROR_CODE_KEY } from '@trpc/server';
import { getHTTPStatusCodeFromError } from '@trpc/server/http';
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc';
import { AppError, type ErrorCode, type FieldError, HTTP_STATUS } from '../common/app-error.js';
import { type Problem, toProblem } from '../common/problem.js';

/** The service's error codes in tRPC's words. */
const RPC_CODES: Record<ErrorCode, TRPC_ERROR_CODE_KEY> = {
  INVALID_INPUT: 'BAD_REQUEST',
  UNAUTHORIZED: 'UNAUTHORIZED',
  FORBIDDEN: 'FORBIDDEN',
  NOT_FOUND: 'NOT_FOUND',
  CONFLICT: 'CONFLICT',
  TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  UNSUPPORTED_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  UNPROCESSABLE: 'UNPROCESSABLE_CONTENT',
  RATE_LIMITED: 'TOO_MANY_REQUESTS',
  INTERNAL: 'INTERNAL_SERVER_ERROR',
  UNAVAILABLE: 'SERVICE_UNAVAILABLE',
  NO_SPACE: 'SERVICE_UNAVAILABLE',
};

const CODES_BY_STATUS = new Map(Object.entries(HTTP_STATUS).map(([code, status]) => [status as number, RPC_CODES[code as ErrorCode]]));

/** An error as a tRPC client gets it. */
export interface RpcErrorShape {
  message: string;
  /** JSON-RPC's number of `data.code`. */
  code: (typeof TRPC_ERROR_CODES_BY_KEY)[TRPC_ERROR_CODE_KEY];
  data: {
    code: TRPC_ERROR_CODE_KEY;
    httpStatus: number;
    /** The procedure. */
    path?: string;
    /** One entry for each wrong field, as in the error body of the other interfaces. */
    details: { errors: FieldError[] };
    /** Milliseconds after which it may be tried again. */
    retryAfterMs?: number;
  };
}

/** What the client is told: all of an expected error, nothing of one that nobody foresaw. */
export function toRpcErrorShape(error: unknown, path?: string): RpcErrorShape {
  const { body, retryAfterMs } = toRpcProblem(error);
  const code = CODES_BY_STATUS.get(body.statusCode) ?? (error instanceof TRPCError ? error.code : 'BAD_REQUEST');
  return {
    message: body.message,
    code: TRPC_ERROR_CODES_BY_KEY[code],
    data: { code, httpStatus: body.statusCode, path, details: body.details, retryAfterMs },
  };
}

/** tRPC wraps what a procedure throws; errors of its own tell what is wrong with the request. */
export function toRpcProblem(error: unknown): Problem {
  if (!(error instanceof TRPCError)) return toProblem(error);
  if (error.cause instanceof AppError || error.code === 'INTERNAL_SERVER_ERROR') return toProblem(error.cause);
  return toProblem(new HttpException(error.message, getHTTPStatusCodeFromError(error)));
}
