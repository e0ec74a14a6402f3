import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import type { Execution } from './execution-log.js';
import { SeededRandom } from './seeded-random.js';

type Scale = 'short' | 'medium' | 'full';

const SCALE = (process.env.FAULTS_SCALE ?? 'short') as Scale;
/** Of everything that a trial leaves to chance. */
export const SEED = Number(process.env.FAULTS_SEED ?? Math.floor(Math.random() * 1_000_000));
/** A part of a long run: then no more faults are injected. */
const PART_MS = Number(process.env.FAULTS_MINUTES ?? Infinity) * 60_000;
/** Worker processes of a cluster. Of six, two are usually starting: a kill costs a start, and that takes seconds. */
export const WORKERS = SCALE === 'short' ? 3 : 6;
/** The same of api processes, where those are killed. */
export const APIS = SCALE === 'short' ? 2 : 4;

const LIMIT_MS: Record<Scale, number> = { short: 240_000, medium: 600_000, full: 3_600_000 };

/** A moment at which something was broken. */
interface Fault {
  at: number;
  /** Of the one process that it struck; unset: all of them. */
  pid?: number;
  /** Until the last of the work that it stopped was taken up again. Unset while nothing was, or when it stopped nothing. */
  recoveryMs?: number;
}

/** What happened to the items of a trial. */
export interface Totals {
  items: number;
  acknowledged: number;
  lost: number;
  recordedTwice: number;
  executions: number;
  reExecuted: number;
}

/** A row of the published table, see docs/reliability.md. */
export interface TrialRow extends Totals {
  fault: string;
  what: string;
  injected: number;
  /** Of the injected, those that struck work under way. */
  hit: number;
  /** In ascending order. */
  recoveriesMs: number[];
  note: string;
  scale: Scale;
  seed: number;
  seconds: number;
  versions: Record<string, unknown>;
}

/** One fault, injected again and again, and what came of it. */
export class Trial {
  readonly random = new SeededRandom(SEED);
  readonly totals: Totals = { items: 0, acknowledged: 0, lost: 0, recordedTwice: 0, executions: 0, reExecuted: 0 };
  readonly notes: string[] = [];
  private readonly startedAt = Date.now();
  /** How often chunks were taken from a worker that was presumed dead. */
  crashes = 0;
  /** Items that were not run again because their workers had been killed too often. */
  quarantined = 0;
  /** It has ended, perhaps too early: whatever still goes on for it ends too. */
  over = false;
  private readonly faults: Fault[] = [];
  private readonly recoveries: number[] = [];
  private readonly beside: Promise<void>[] = [];
  private failure?: Error;
  private hit = 0;

  get injected(): number {
    return this.faults.length;
  }

  /** Work that goes on while faults are injected: when it fails, so does the trial, at once. */
  alongside(work: Promise<void>): void {
    this.beside.push(
      work.catch((error: Error) => {
        this.failure ??= error;
        this.over = true;
      }),
    );
  }

  /** All work alongside has ended. @throws what it failed with */
  async settle(): Promise<void> {
    await Promise.all(this.beside);
    if (this.failure) throw this.failure;
  }

  /** Whether the fault has not been injected so often yet, and there is time for it. @throws Error when the trial has taken too long */
  hasMore(times: number): boolean {
    if (this.failure) throw this.failure;
    if (this.over) throw new Error(`after ${this.injected} of ${times} injections the time was up`);
    return this.injected < times && Date.now() - this.startedAt < PART_MS;
  }

  /** The fault has just been injected. @param struck whether it struck work under way */
  inject(struck: boolean, pid?: number, at = Date.now()): void {
    this.faults.push({ at, pid });
    if (struck) this.hit += 1;
  }

  /** An item whose execution a fault may have stopped began again. */
  tookUpAgain(stopped: { pid: number; startedAt: number }, again: { startedAt: number }): void {
    const fault = this.faults.findLast(
      ({ at, pid }) => (pid === undefined || pid === stopped.pid) && at >= stopped.startedAt && at <= again.startedAt,
    );
    if (fault) fault.recoveryMs = Math.max(fault.recoveryMs ?? 0, again.startedAt - fault.at);
  }

  /** Whether faults of their processes ended all of these executions of one item, and there were several. */
  wereKilled(executions: readonly Execution[]): boolean {
    const struck = ({ pid, startedAt, endedAt }: Execution): boolean =>
      endedAt === undefined && this.faults.some((fault) => fault.pid === pid && fault.at >= startedAt);
    return executions.length >= 2 && executions.every(struck);
  }

  /** Times at which the service did again what the faults keep it from; in order. Until the next of them each fault lasted. */
  didAgain(times: readonly number[]): void {
    for (const fault of this.faults) {
      const next = times.find((time) => time > fault.at);
      if (next !== undefined) fault.recoveryMs ??= next - fault.at;
    }
  }

  /** A recovery that was timed in another way; then only such ones count. */
  recovered(ms: number): void {
    this.recoveries.push(ms);
  }

  row(fault: string, what: string): TrialRow {
    const { injected, hit, totals, quarantined } = this;
    const quarantine = `${quarantined} innocent items quarantined, each alone in two killed workers`;
    return {
      fault,
      what,
      injected,
      hit,
      ...totals,
      recoveriesMs: (this.recoveries.length > 0 ? this.recoveries : this.faults.flatMap(({ recoveryMs }) => recoveryMs ?? []))
        .map(Math.round)
        .sort((a, b) => a - b),
      note: [...this.notes, ...(quarantined > 0 ? [quarantine] : [])].join('; '),
      scale: SCALE,
      seed: SEED,
      seconds: Math.round((Date.now() - this.startedAt) / 1_000),
      versions: {},
    };
  }
}

interface TrialPlan<Size> {
  sizes: Record<Scale, Size>;
  /** Such a fault makes items run again: a trial in which none does has not hit anything. */
  reExecutes: boolean;
}

/**
 * A test that injects one fault: a few times within `npm test`, as often as is published with `npm run test:faults -- --full`.
 * It fails as well when no fault has hit work under way.
 */
export function trial<Size>(fault: string, what: string, plan: TrialPlan<Size>, work: (trial: Trial, size: Size) => Promise<void>): void {
  it(
    `${fault} ${what}`,
    async () => {
      const running = new Trial();
      console.info(`${fault}: seed ${SEED}, ${SCALE}`);
      const late = setTimeout(() => (running.over = true), LIMIT_MS[SCALE]);
      await work(running, plan.sizes[SCALE]).finally(() => {
        running.over = true;
        clearTimeout(late);
      });
      const row = running.row(fault, what);
      await report(row);
      expect(row).toMatchObject({ lost: 0, recordedTwice: 0 });
      expect(Math.min(row.hit, row.items)).toBeGreaterThan(0);
      if (plan.reExecutes) expect(row.reExecuted).toBeGreaterThan(0);
    },
    LIMIT_MS[SCALE] + 30_000,
  );
}

/** Into the file of FAULTS_OUT, beside rows of the same fault with other seeds. */
async function report(row: TrialRow): Promise<void> {
  const out = process.env.FAULTS_OUT;
  if (!out) return;
  row.versions = { ...(JSON.parse(process.env.FAULTS_VERSIONS ?? '{}') as object), ...(await serverVersions()) };
  const rows = existsSync(out) ? (JSON.parse(readFileSync(out, 'utf8')) as TrialRow[]) : [];
  const others = rows.filter(({ fault, what, seed }) => fault !== row.fault || what !== row.what || seed !== row.seed);
  const lines = [...others, row].map((each) => JSON.stringify(each));
  writeFileSync(out, `[\n${lines.join(',\n')}\n]\n`);
}

async function serverVersions(): Promise<{ postgres: string; redis: string }> {
  const client = new Client({ connectionString: process.env.TEST_DATABASE_URL });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  const redis = new Redis(process.env.TEST_REDIS_URL!);
  const info = await redis.info('server');
  redis.disconnect();
  return { postgres: rows[0]!.server_version, redis: /redis_version:(\S+)/.exec(info)![1]! };
}
