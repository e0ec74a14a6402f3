import type { IncomingHttpHeaders } from 'node:http';
import type { Config } from '../config.js';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a page of this Origin may open a socket. With CORS_ORIGINS: those, and the service's own pages. Without: any when sockets
 * must show credentials, since a foreign page has none to show; in open access only pages of this host and of this machine.
 * Programs that are not browsers send no Origin.
 */
export function mayConnect(headers: IncomingHttpHeaders, config: Pick<Config, 'corsOrigins' | 'hasAccessControl'>): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url !== undefined && url.host === host) return true;
  if (config.corsOrigins.length > 0) return config.corsOrigins.includes(origin) || config.corsOrigins.includes('*');
  return config.hasAccessControl || (url !== undefined && LOOPBACK.has(url.hostname));
}
