import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { hostname } from 'node:os';
import { insertMetrics, type NewMetric } from '../batches/store/insert-metrics.js';
import { type BatchOfRun, selectBatchesOfRuns } from '../batches/store/select-batches-of-runs.js';
import { Config } from '../config.js';
import { Database } from '../database/sql.js';
import { LaneWorker } from './lane-worker.js';
import { ProcessMeter, round } from './process-load.js';

const TICK_MS = 1_000;
/** A batch under way is sampled this often. */
const SAMPLE_MS = 5_000;
/** A run that was not worked here for so long is forgotten. */
const FORGET_MS = 60_000;

/** What this process remembers of a run from one sample to the next. */
interface LastSample {
  /** performance.now() */
  at: number;
  /** Undefined until the first sample is written. */
  processed?: number;
}

/**
 * Writes down, for every batch that this process works, what the process uses and how fast the batch goes: every five seconds, and
 * when its last turn at the batch is over. It looks from outside, with three statements for all batches: no item waits for it.
 */
@Injectable()
export class MetricsSampler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(MetricsSampler.name);
  private readonly processName = `${hostname()}:${process.pid}`;
  private readonly meter: ProcessMeter;
  private readonly last = new Map<string, LastSample>();
  private timer?: NodeJS.Timeout;
  private sampling?: Promise<void>;

  constructor(
    private readonly database: Database,
    private readonly worker: LaneWorker,
    config: Config,
  ) {
    this.meter = new ProcessMeter(config.dataDir);
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.sampling;
  }

  /** A database that is slow to answer gets one question at a time. */
  private tick(): void {
    this.sampling ??= this.sample()
      .catch((error: unknown) => this.logger.warn({ err: error }, 'figures of batches were not written; the next ones may be'))
      .finally(() => (this.sampling = undefined));
  }

  private async sample(): Promise<void> {
    const due = this.dueRuns();
    if (due.length === 0) return;
    const load = await this.meter.read();
    const batches = await selectBatchesOfRuns(this.database.pool, due);
    const metrics = [...batches].map(([runId, batch]): NewMetric => {
      const data = { ...load, ...this.figuresOf(runId, batch), process: this.processName };
      return { batchId: batch.view.id, data };
    });
    await this.database.transaction((connection) => insertMetrics(connection, 'worker', metrics));
  }

  /** Runs whose turns here are over, and those whose last sample is old enough. */
  private dueRuns(): string[] {
    const now = performance.now();
    const worked = this.worker.takeWorkedRuns();
    if (worked.size === 0) this.meter.restart();
    for (const [runId, { at }] of this.last) if (now - at > FORGET_MS) this.last.delete(runId);
    const due: string[] = [];
    for (const [runId, { active }] of worked) {
      const last = this.last.get(runId);
      if (!active || (last && now - last.at >= SAMPLE_MS)) due.push(runId);
      else if (!last) this.last.set(runId, { at: now });
    }
    return due;
  }

  private figuresOf(runId: string, { view: { counts, startedAt, endedAt }, processedBefore }: BatchOfRun) {
    const now = performance.now();
    const processed = counts.succeeded + counts.failed + counts.skipped;
    const last = this.last.get(runId);
    this.last.set(runId, { at: now, processed });
    const sinceStart = startedAt === null ? 0 : (endedAt === null ? Date.now() : Date.parse(endedAt)) - Date.parse(startedAt);
    const [items, elapsedMs] =
      last?.processed === undefined ? [processed - processedBefore, sinceStart] : [processed - last.processed, now - last.at];
    return { processedItems: processed, failedItems: counts.failed, throughput: elapsedMs > 0 ? round((1000 * items) / elapsedMs) : 0 };
  }
}
