import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { errors, jwtVerify } from 'jose';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../common/app-error.js';
import type { Caller } from '../common/procedure.js';
import { isStorable } from '../common/safe-json.js';
import { Config } from '../config.js';
import { FailedCredentials } from './failed-credentials.js';

/** What a request or socket shows. A key may come as either; a token (JWT) only as `bearer`. */
export interface Credentials {
  apiKey?: string;
  bearer?: string;
}

export interface Identity {
  caller: Caller;
  /** When a token ends, in milliseconds since 1970. */
  expiresAt?: number;
}

/** Of a header that came twice neither is believed. */
export function credentialsOf(headers: IncomingHttpHeaders): Credentials {
  const apiKey = headers['x-api-key'];
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  return { apiKey: Array.isArray(apiKey) ? apiKey.join() : apiKey, bearer };
}

/** The service refuses to start in production for anybody to use. */
export function assertAccessControl(config: Pick<Config, 'nodeEnv' | 'hasAccessControl'>): void {
  if (config.nodeEnv !== 'production' || config.hasAccessControl) return;
  throw new Error(
    'NODE_ENV is production, but neither API_KEYS nor JWT_SECRET is set: anybody could use the service. ' +
      'Set API_KEYS=tenant:key (a key of at least 16 characters), or JWT_SECRET.',
  );
}

/** Tells who calls, from an API key or a token. Without any configured, everybody is the tenant `default`. */
@Injectable()
export class Access implements OnApplicationBootstrap {
  private readonly keys: { tenant: string; hash: Buffer }[];
  private readonly secret?: Uint8Array;
  private readonly failed: FailedCredentials;

  constructor(private readonly config: Config) {
    this.keys = config.apiKeys.map(({ tenant, key }) => ({ tenant, hash: hashOf(key) }));
    this.secret = config.jwtSecret === undefined ? undefined : new TextEncoder().encode(config.jwtSecret);
    this.failed = new FailedCredentials(config.failedCredentialsPerMinute);
  }

  onApplicationBootstrap(): void {
    if (this.isOpen) {
      new Logger(Access.name).warn(
        'Access is open: anybody who reaches this port may do everything. Set API_KEYS or JWT_SECRET to close it.',
      );
    }
  }

  get isOpen(): boolean {
    return !this.config.hasAccessControl;
  }

  /**
   * @param address where they come from; wrong credentials are counted by it
   * @throws AppError UNAUTHORIZED, and RATE_LIMITED for wrong credentials after many others; right ones are never refused for that
   */
  async identify({ apiKey, bearer }: Credentials, address?: string): Promise<Identity> {
    if (this.isOpen) return { caller: { tenant: 'default' } };
    const presented = apiKey ?? bearer;
    if (!presented) throw new AppError('UNAUTHORIZED', 'no credentials; send an API key as x-api-key or Authorization: Bearer');
    const known = this.byKey(presented) ?? (apiKey === undefined ? await this.byToken(presented) : undefined);
    if (known) return known;
    if (address !== undefined) this.failed.count(address);
    throw new AppError('UNAUTHORIZED', 'the API key or token is not valid here');
  }

  /** Every key is compared, whichever fits, so that the time taken tells nothing. */
  private byKey(presented: string): Identity | undefined {
    const hash = hashOf(presented);
    const [match] = this.keys.filter((key) => timingSafeEqual(key.hash, hash));
    return match && { caller: { tenant: match.tenant, subject: `key:${hash.toString('hex').slice(0, 8)}` } };
  }

  private async byToken(token: string): Promise<Identity | undefined> {
    if (!this.secret) return undefined;
    try {
      const { payload } = await jwtVerify<{ tenant?: unknown }>(token, this.secret, {
        algorithms: ['HS256'],
        requiredClaims: ['sub', 'tenant', 'exp'],
      });
      const { sub, tenant, exp } = payload;
      if (!isName(sub) || !isName(tenant)) return undefined;
      return { caller: { tenant, subject: sub, personal: true }, expiresAt: exp! * 1000 };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new AppError('UNAUTHORIZED', 'the token has expired; get a new one', { cause: error });
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function isName(claim: unknown): claim is string {
  return typeof claim === 'string' && claim.length > 0 && claim.length <= 200 && isStorable(claim);
}
