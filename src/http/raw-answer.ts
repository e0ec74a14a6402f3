import { HttpException } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { headersOf } from '../common/problem.filter.js';
import { toProblem } from '../common/problem.js';

/** Time for a client to read why it was refused. */
const REFUSAL_MS = 1_000;

/** Answers a socket on which no response object speaks, with the error body of all other answers, and closes it. */
export function refuseConnection(socket: Socket, why: Error, requestId: string = randomUUID()): void {
  socket.on('error', () => socket.destroy());
  socket.write(rawAnswer(why, requestId));
  leaveUnread(socket);
}

/**
 * Closes a connection whose client may still be sending, in time for it to read what it was answered: cut at once, it would be told of a
 * reset instead. What it sends stays unread, and its own full buffers hold it up.
 */
export function leaveUnread(socket: Socket): void {
  socket.pause();
  // A client that keeps its side open would hold the connection, and the shutdown, as long as it likes.
  const timer = setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end();
}

function rawAnswer(why: Error, requestId: string): string {
  const problem = toProblem(why);
  const { statusCode } = problem.body;
  const body = JSON.stringify(problem.body);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    ...headersOf(problem),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${[`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}`, ...lines].join('\r\n')}\r\n\r\n${body}`;
}

/** A fault of the request that has a status of HTTP's own. */
export function httpProblem(status: number, message: string): HttpException {
  return new HttpException(message, status);
}
