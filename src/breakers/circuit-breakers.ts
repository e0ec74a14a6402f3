import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { Config } from '../config.js';
import { Database } from '../database/sql.js';
import { ProviderWaitError } from '../operations/item-errors.js';
import { Circuit } from './circuit.js';
import { type CircuitDefaults, circuitDefaults } from './circuit-defaults.js';
import { isProviderName } from './provider-name.js';
import { endProbe, type Probe, renewProbe, takeProbe } from './store/probe-circuit.js';
import { readCircuits } from './store/read-circuits.js';
import { recordVerdicts } from './store/record-verdicts.js';
import { wakeItems } from './store/wake-items.js';
import { ANSWERED, type Verdict, verdictOf } from './verdict.js';

/** What is known of circuits is read again when it is older than this, all of them in one statement. */
const FRESH_MS = 500;
/** A circuit that was not asked for so long is forgotten here; the database knows it. */
const IDLE_MS = 60_000;
/** While one item tries whether the provider is back, the others ask again after this long. */
const PROBE_WAIT_MS = 1_000;
/** While somebody holds the circuit open, and nobody knows how long. */
const FORCED_WAIT_MS = 5_000;
/** Results of items, also that they wait, are recorded within this time. */
const WAKE_MS = 1_000;
/** So that nobody comes back a moment before the circuit lets a try through. */
const MARGIN_MS = 20;

/**
 * Leaves failing providers alone, for each tenant by itself and in all processes: after so many failures in a row nothing is sent for a
 * while, then one item tries whether the provider is back. The circuits are in PostgreSQL and go by its clock. A process reads them
 * twice a second at most; successes write nothing, failures one statement at a time, however many there are.
 */
@Injectable()
export class CircuitBreakers {
  private readonly logger = new Logger(CircuitBreakers.name);
  private readonly circuits = new Map<string, Circuit>();
  private readonly defaults: CircuitDefaults;
  private reading?: Promise<void>;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {
    this.defaults = circuitDefaults(config);
  }

  /**
   * @param provider the handler's own name for whom the work asks: letters, digits and `_ . : -`, at most 100
   * @param work counts as failed when it throws a ProviderFailure; with any other error it is no fault of the provider
   * @throws ProviderWaitError, which names the provider, without having called `work` while the circuit is open; what `work` throws
   */
  async guard<T>(tenant: string, provider: string, work: () => Promise<T>): Promise<T> {
    const circuit = this.circuitOf(tenant, provider);
    const probe = await this.admit(circuit);
    const settle = (verdict: Verdict) => (probe ? this.endProbe(circuit, probe, verdict) : this.count(circuit, verdict));
    const beat = probe && setInterval(() => void this.renew(probe), this.config.leaseMs / 3).unref();
    try {
      const result = await work();
      await settle(ANSWERED);
      return result;
    } catch (error) {
      await settle(verdictOf(error));
      throw error;
    } finally {
      clearInterval(beat);
    }
  }

  private circuitOf(tenant: string, provider: string): Circuit {
    if (!isProviderName(provider)) throw new Error(`"${provider}" cannot name a provider: use letters, digits and _ . : -, at most 100`);
    const key = `${provider} ${tenant}`;
    const circuit = this.circuits.get(key) ?? new Circuit(tenant, provider);
    this.circuits.set(key, circuit);
    circuit.usedAt = performance.now();
    return circuit;
  }

  /** @returns the probe, when the work is to be the one that tries */
  private async admit(circuit: Circuit): Promise<Probe | undefined> {
    await this.refresh(circuit);
    const { provider, forced } = circuit;
    if (forced === 'open') throw waitFor(provider, 'its circuit was opened by hand', FORCED_WAIT_MS);
    if (circuit.closed) return undefined;
    if (circuit.openLeftMs > 0) {
      throw waitFor(provider, `failed ${circuit.failed} times in a row and is left alone`, circuit.openLeftMs + MARGIN_MS);
    }
    const probe = await this.tryToProbe(circuit);
    if (probe) return probe;
    throw waitFor(provider, 'was failing; one item tries whether it is back', PROBE_WAIT_MS);
  }

  /** Twice, because the reading under way may have begun before this circuit was asked for. */
  private async refresh(circuit: Circuit): Promise<void> {
    for (let round = 0; round < 2 && performance.now() - circuit.readAt > FRESH_MS; round += 1) {
      await (this.reading ??= this.read().finally(() => (this.reading = undefined)));
    }
  }

  /** With the database away, what was known last is as good as anything. */
  private async read(): Promise<void> {
    const startedAt = performance.now();
    for (const [key, { usedAt }] of this.circuits) if (usedAt < startedAt - IDLE_MS) this.circuits.delete(key);
    const circuits = [...this.circuits.values()];
    try {
      const rows = await readCircuits(this.database.pool, circuits);
      const byKey = new Map(rows.map((row) => [`${row.provider} ${row.tenant}`, row]));
      for (const circuit of circuits) {
        if (circuit.read(byKey.get(`${circuit.provider} ${circuit.tenant}`), startedAt)) this.wakeLater(circuit);
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'the circuit breakers could not be read; this process goes by what it knew last');
      for (const circuit of circuits) circuit.readAt = performance.now();
    }
  }

  /** What was told to wait before this process knew that the circuit is closed is recorded by then. */
  private wakeLater({ tenant, provider }: Circuit): void {
    const wake = (): Promise<void> =>
      wakeItems(this.database.pool, tenant, provider).catch((error: unknown) => {
        this.logger.warn({ err: error, tenant, provider }, 'items could not be woken; they come back when they were told to');
      });
    setTimeout(() => void wake(), WAKE_MS).unref();
  }

  private async tryToProbe(circuit: Circuit): Promise<Probe | undefined> {
    if (circuit.claiming || circuit.probeLeftMs > 0) return undefined;
    circuit.claiming = true;
    const { tenant, provider } = circuit;
    const probe = { tenant, provider, id: randomUUID() };
    try {
      const taken = await takeProbe(this.database.pool, probe, this.config.leaseMs);
      circuit.readAt = -Infinity;
      if (!taken) return undefined;
      this.logger.log({ tenant, provider }, 'circuit half open: one item tries the provider');
      return probe;
    } catch (error) {
      this.logger.warn({ err: error, tenant, provider }, 'a provider could not be tried; the next item asks again');
      return undefined;
    } finally {
      circuit.claiming = false;
    }
  }

  private async renew(probe: Probe): Promise<void> {
    try {
      await renewProbe(this.database.pool, probe, this.config.leaseMs);
    } catch (error) {
      this.logger.warn({ err: error }, 'the lease of a probe could not be renewed; somebody else may try as well');
    }
  }

  /** Never throws: the work is done, whatever can be told of it. */
  private async endProbe(circuit: Circuit, probe: Probe, verdict: Verdict): Promise<void> {
    const { tenant, provider } = circuit;
    try {
      const row = await endProbe(this.database.pool, probe, verdict, this.defaults);
      circuit.wrote(row);
      if (row && !row.open) this.logger.log({ tenant, provider }, 'the provider is back: circuit closed');
    } catch (error) {
      this.logger.warn(
        { err: error, tenant, provider },
        'what a probe found could not be written; somebody else tries when its lease ends',
      );
    }
  }

  /** One write at a time for each circuit: what is noted meanwhile goes into the next. A success that follows no failure is no news. */
  private async count(circuit: Circuit, verdict: Verdict): Promise<void> {
    if (circuit.open || circuit.forced !== null || verdict.verdict === 'unknown') return;
    if (verdict.verdict === 'answered' && circuit.failed === 0) return;
    circuit.note(verdict);
    await (circuit.nextWrite ??= (circuit.currentWrite ?? Promise.resolve()).then(() => this.write(circuit)));
  }

  private async write(circuit: Circuit): Promise<void> {
    circuit.currentWrite = circuit.nextWrite;
    circuit.nextWrite = undefined;
    const { tenant, provider } = circuit;
    try {
      const row = await recordVerdicts(this.database.pool, circuit, circuit.takeNews(), this.defaults);
      circuit.wrote(row);
      if (row?.open) this.logger.warn({ tenant, provider, failed: row.failed }, 'the provider fails: circuit open');
    } catch (error) {
      this.logger.warn({ err: error, tenant, provider }, 'failures of a provider could not be counted');
    }
  }
}

function waitFor(provider: string, why: string, delayMs: number): ProviderWaitError {
  return new ProviderWaitError(`provider ${provider}: ${why}`, delayMs, provider);
}
