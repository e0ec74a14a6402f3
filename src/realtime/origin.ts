import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { AppError } from '../common/app-error.js';
import type { Config } from '../config.js';

type Settings = Pick<Config, 'corsOrigins' | 'hasAccessControl' | 'allowedHosts' | 'host'>;

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Whether a page of this Origin may read answers of the REST interface (CORS): those of CORS_ORIGINS; without any, pages of this machine,
 * such as those of a development server on another port.
 */
export function mayReadAnswers(origin: string, { corsOrigins }: Pick<Config, 'corsOrigins'>): boolean {
  if (corsOrigins.length > 0) return corsOrigins.includes(origin) || corsOrigins.includes('*');
  const url = parse(origin);
  return url !== undefined && isThisMachine(url.hostname);
}

/**
 * Whether a page of this Origin may open a socket, and in open access change anything: the service's own pages and those that may read
 * answers. Without CORS_ORIGINS any may when credentials must be shown, since a foreign page has none to show. Programs that are not
 * browsers send no Origin.
 */
export function mayConnect(headers: IncomingHttpHeaders, config: Pick<Config, 'corsOrigins' | 'hasAccessControl'>): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  if (parse(origin)?.host === host) return true;
  return mayReadAnswers(origin, config) || (config.hasAccessControl && config.corsOrigins.length === 0);
}

/**
 * Why a request is refused before anybody looks at it, in open access: its Host is a foreign name, which a page made point here (DNS
 * rebinding), or a foreign page wants to change something. With ALLOWED_HOSTS set the Host is checked in any case.
 */
export function refusalOf({ method, headers }: IncomingMessage, config: Settings): AppError | undefined {
  const { host, origin } = headers;
  if (host !== undefined && !isOwnHost(host, config)) {
    return new AppError('FORBIDDEN', `the service is not asked for as ${host}; if that name is yours, add it to ALLOWED_HOSTS`);
  }
  if (config.hasAccessControl || SAFE_METHODS.has(method ?? '')) return undefined;
  if (!mayConnect(headers, config)) return new AppError('FORBIDDEN', `pages of ${origin} may change nothing here; see CORS_ORIGINS`);
  const site = headers['sec-fetch-site'] ?? 'none';
  if (origin !== undefined || site === 'none' || site === 'same-origin') return undefined;
  return new AppError('FORBIDDEN', 'pages of other sites may change nothing here; see CORS_ORIGINS');
}

/** A page can make a name of its own point here: no number, and no name without a dot, which only this network can know. */
function isOwnHost(host: string, { hasAccessControl, allowedHosts, host: listensAt }: Settings): boolean {
  if ((hasAccessControl && allowedHosts.length === 0) || allowedHosts.includes('*')) return true;
  const name = parse(`http://${host}`)?.hostname;
  if (name === undefined) return false;
  if (isThisMachine(name) || [listensAt, ...allowedHosts].some((known) => known.toLowerCase() === name)) return true;
  const isNumber = isIP(name.replace(/^\[|\]$/g, '')) > 0;
  return isNumber ? !isThisMachine(listensAt) : !name.includes('.');
}

function isThisMachine(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || /^127(?:\.\d+){3}$/.test(name) || name === '[::1]' || name === '::1';
}

function parse(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}
