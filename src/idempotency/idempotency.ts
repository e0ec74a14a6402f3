import { Injectable, Logger } from '@nestjs/common';
import { createHash, randomUUID } from 'node:crypto';
import { AppError, invalidField, unprocessable } from '../common/app-error.js';
import type { Caller } from '../common/procedure.js';
import { Database } from '../database/sql.js';
import { answerKey, claimKey, type KeyClaim, type Made, releaseKey, renewKey, selectKey } from './store/claim-key.js';

/** How long a key is held for a process that may have died; one that lives renews it. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
const RETRY_AFTER_MS = 1_000;
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;

/** A request under a key that its client chose. */
export interface KeyedRequest {
  caller: Caller;
  /** 1 to 255 visible ASCII characters. */
  key: string;
  /** All that makes it this request and no other, as JSON: method, path and body, say. */
  fingerprint: unknown;
}

/** Carries requests out once, however often they are sent within a day: `Idempotency-Key`. See docs/idempotency.md. */
@Injectable()
export class Idempotency {
  private readonly logger = new Logger(Idempotency.name);

  constructor(private readonly database: Database) {}

  /**
   * @param work gives the answer, as JSON. It makes what it makes through procedures that are called with the given caller.
   * @returns the answer of the first time, when there was one
   * @throws AppError INVALID_INPUT for a key that is none, UNPROCESSABLE for one that came with another request,
   *   CONFLICT while that request is carried out; and what `work` throws, which leaves the key unused
   */
  async once<Answer>(request: KeyedRequest, work: (caller: Caller) => Promise<Answer>): Promise<{ answer: Answer; replayed: boolean }> {
    const { caller, key, fingerprint } = request;
    if (!VISIBLE_ASCII.test(key)) throw invalidField('Idempotency-Key', 'must be 1 to 255 visible ASCII characters, without spaces');
    const hash = createHash('sha256').update(JSON.stringify(fingerprint)).digest();
    const claim: KeyClaim = { tenant: caller.tenant, key, hash, token: randomUUID() };
    const made = await this.claimOrAnswer(claim);
    if ('answer' in made) return { answer: JSON.parse(made.answer) as Answer, replayed: true };
    const answer = await this.holding(claim, () => work({ ...caller, once: toOnce(claim, made) }));
    return { answer, replayed: made.procedure !== null };
  }

  private async claimOrAnswer(claim: KeyClaim): Promise<Made | { answer: string }> {
    const { pool } = this.database;
    for (;;) {
      const made = await claimKey(pool, claim, LEASE_MS);
      if (made) return made;
      const held = await selectKey(pool, claim);
      // It was given back this moment.
      if (!held) continue;
      if (!held.hash.equals(claim.hash)) {
        throw unprocessable('Idempotency-Key', `${claim.key} came with another request before; take a new key for each request`);
      }
      if (held.answer !== null) return { answer: held.answer };
      throw new AppError('CONFLICT', `Idempotency-Key: the request with ${claim.key} is still carried out; ask again in a second`, {
        details: { retryAfterMs: RETRY_AFTER_MS },
      });
    }
  }

  /** Renews the claim while the work goes on, and keeps its answer. */
  private async holding<Answer>(claim: KeyClaim, work: () => Promise<Answer>): Promise<Answer> {
    const { pool } = this.database;
    const renewal = setInterval(() => void this.unlessAway(() => renewKey(pool, claim, LEASE_MS)), RENEW_MS);
    try {
      const answer = await work();
      await this.unlessAway(() => answerKey(pool, claim, JSON.stringify(answer)));
      return answer;
    } catch (error) {
      await this.unlessAway(() => releaseKey(pool, claim));
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  /** The claim runs out by itself, and what was made is with the key already: a database that is away now costs a second try some time. */
  private async unlessAway(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.logger.warn({ err: error }, 'an idempotency key could not be written');
    }
  }
}

function toOnce({ key, token }: KeyClaim, { procedure, output }: Made): Caller['once'] {
  return { key, token, made: procedure === null ? undefined : { procedure, output } };
}
