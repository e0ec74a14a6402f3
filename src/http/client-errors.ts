import type { Config } from '../config.js';
import { httpProblem } from './raw-answer.js';

interface ConnectionError extends Error {
  code?: string;
  /** llhttp's words for what it could not read. */
  reason?: string;
}

/** What Node's HTTP parser and its time limits found wrong with a connection, as what the client is told. */
export function toConnectionProblem(error: ConnectionError, config: Pick<Config, 'headersTimeoutMs'>): Error {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return httpProblem(
        408,
        `the request's line and headers did not come within ${config.headersTimeoutMs} ms (HEADERS_TIMEOUT_MS); send them at once`,
      );
    case 'HPE_HEADER_OVERFLOW':
      return httpProblem(431, "the request's address and headers are larger than 16 kB together; send less in them");
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return httpProblem(413, 'the chunks of the body have extensions of more than 16 kB; leave them out');
    case 'HPE_INVALID_VERSION':
      return httpProblem(505, 'this version of HTTP is not spoken here; send the request as HTTP/1.1');
    case 'HPE_INVALID_EOF_STATE':
      return httpProblem(400, 'the request ended before it was complete');
    default:
      return httpProblem(400, `the request is not valid HTTP/1.1${error.reason ? `: ${error.reason}` : ''}`);
  }
}
