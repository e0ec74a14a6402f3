import type { WebSocket } from 'ws';

export const CLOSE_CODE = { shutdown: 1001, policy: 1008, unauthorized: 4401, tooMany: 4429 };

/** Time for the other side to answer a close. */
export const CLOSE_MS = 1_000;
/** Longest reason that the protocol has room for. */
const MAX_REASON_BYTES = 123;

/** Closes a WebSocket with a sentence; without an answer within a second it is cut. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  const bytes = Buffer.from(reason).subarray(0, MAX_REASON_BYTES);
  socket.close(code, bytes.toString('utf8').replace(/\uFFFD$/, ''));
  const timer = setTimeout(() => socket.terminate(), CLOSE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

/** The same for one whose client sends too much: nothing more is read. */
export function cutOff(socket: WebSocket, reason: string): void {
  socket.removeAllListeners('message').removeAllListeners('ping').removeAllListeners('pong');
  closeSocket(socket, CLOSE_CODE.tooMany, reason);
  socket.pause();
}
