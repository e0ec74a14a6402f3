import { Injectable, Logger } from '@nestjs/common';
import { BrokenCircuitError, circuitBreaker, type CircuitBreakerPolicy, CircuitState, ConsecutiveBreaker, handleType } from 'cockatiel';
import { Config } from '../../config.js';
import { RetryLaterError } from '../../operations/item-handler.js';
import { ProviderFailure } from './provider-failure.js';

/** Tenants remembered; the one longest unheard of is forgotten first, and begins with a closed circuit when it comes again. */
const MAX_TENANTS = 1_000;
/** While one document tries whether the provider is back, the others ask again after this long. */
const PROBE_WAIT_MS = 1_000;
/** So that nobody comes back a moment before the circuit lets a try through. */
const MARGIN_MS = 20;

interface Breaker {
  policy: CircuitBreakerPolicy;
  /** Milliseconds since 1970. */
  opensAgainAt: number;
}

/**
 * Leaves a failing provider alone, for each tenant by itself: after AI_BREAKER_FAILURES failures in a row nothing is sent for
 * AI_BREAKER_OPEN_MS, then one request tries whether it is back. Kept in this process; others find out by themselves.
 */
@Injectable()
export class CircuitBreakers {
  private readonly logger = new Logger(CircuitBreakers.name);
  private readonly byTenant = new Map<string, Breaker>();

  constructor(private readonly config: Config) {}

  /**
   * @param work counts as failed when it throws a ProviderFailure; any other error is no fault of the provider
   * @throws RetryLaterError without having called `work` while the circuit is open
   */
  async guard<T>(tenant: string, work: () => Promise<T>): Promise<T> {
    const breaker = this.of(tenant);
    if (breaker.policy.state === CircuitState.HalfOpen) {
      throw new RetryLaterError('the AI provider was failing; one document tries whether it is back', PROBE_WAIT_MS);
    }
    try {
      return await breaker.policy.execute(work);
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      const waitMs = Math.max(0, breaker.opensAgainAt - Date.now()) + MARGIN_MS;
      throw new RetryLaterError(`the AI provider failed ${this.config.aiBreakerFailures} times in a row and is left alone`, waitMs);
    }
  }

  private of(tenant: string): Breaker {
    const breaker = this.byTenant.get(tenant) ?? this.create(tenant);
    // Deleted first, so that the map's order is that of the last use.
    this.byTenant.delete(tenant);
    this.byTenant.set(tenant, breaker);
    if (this.byTenant.size > MAX_TENANTS) this.byTenant.delete(this.byTenant.keys().next().value!);
    return breaker;
  }

  private create(tenant: string): Breaker {
    const { aiBreakerFailures, aiBreakerOpenMs } = this.config;
    const policy = circuitBreaker(handleType(ProviderFailure), {
      breaker: new ConsecutiveBreaker(aiBreakerFailures),
      halfOpenAfter: aiBreakerOpenMs,
    });
    const breaker: Breaker = { policy, opensAgainAt: 0 };
    policy.onBreak(() => {
      breaker.opensAgainAt = Date.now() + aiBreakerOpenMs;
      this.logger.warn({ tenant, openMs: aiBreakerOpenMs }, 'the AI provider fails: circuit open');
    });
    policy.onHalfOpen(() => this.logger.log({ tenant }, 'circuit half open: one document tries the AI provider'));
    policy.onReset(() => this.logger.log({ tenant }, 'the AI provider is back: circuit closed'));
    return breaker;
  }
}
