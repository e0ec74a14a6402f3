import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, LEASE_MS, START_MS } from '../../support/cluster.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants } from '../../support/invariants.js';
import type { ServiceProcess } from '../../support/process.js';
import { StruckLanes } from '../../support/struck-lanes.js';
import { type BusyLane, countedExecutions, installSwiftAudit } from '../../support/swift-audit.js';
import { SwiftLoad } from '../../support/swift-load.js';
import { type Trial, trial } from '../../support/trial.js';

const WORKERS = 2;
const CLIENTS = 4;
const SLEEP_MS = 2 * LEASE_MS;
const BUSY_MS = 60_000;

let database: TestDatabase;
let cluster: Cluster;
let redis: Redis;
let struck: StruckLanes;

beforeAll(async () => {
  database = await createTestDatabase();
  let started = 0;
  const envOf = (role: string): Record<string, string> => ({ DATABASE_URL: urlOf(`batchwise ${role} ${(started += 1)}`) });
  cluster = await Cluster.start({ apis: 1, workers: WORKERS, database, envOf });
  await installSwiftAudit(cluster);
  struck = new StruckLanes(database.url);
  redis = new Redis(cluster.redis.url);
  redis.on('error', () => undefined);
}, START_MS);
afterAll(async () => {
  redis.disconnect();
  await struck.close();
  await cluster.close();
  await database.drop();
}, 120_000);

/** Of a process whose connections bear its name. */
function urlOf(name: string): string {
  const url = new URL(database.url);
  url.searchParams.set('application_name', name);
  return url.toString();
}

const nameOf = (service: ServiceProcess): string => new URL(cluster.envOf(service).DATABASE_URL!).searchParams.get('application_name')!;

const CUT = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'batchwise %' AND datname = current_database()`;

trial(
  'F27',
  'kill -9 of workers, a wiped Redis and cut database connections, in turn, under a load of no-op items at full speed',
  {
    sizes: { short: { faults: 4, items: 40_000 }, medium: { faults: 20, items: 100_000 }, full: { faults: 100, items: 100_000 } },
    reExecutes: true,
  },
  async (trial, { faults, items }) => {
    const injector = new Injector(trial);
    const startedAt = Date.now();
    const load = new SwiftLoad(cluster, trial, { atOnce: CLIENTS, items, struck });
    while (trial.hasMore(faults)) {
      await delay(trial.random.between(700, 2_000));
      await injector.next();
      await assertInvariants(cluster, { audited: true });
    }
    await injector.allAwake();
    await load.finish();

    for (const recoveryMs of struck.recoveriesMs) trial.recovered(recoveryMs);
    trial.totals.executions = countedExecutions(cluster.log.folder);
    trial.totals.reExecuted = Math.max(0, trial.totals.executions - load.exam.attempts);
    const perSecond = Math.round((1_000 * trial.totals.items) / (Date.now() - startedAt));
    const refused = [...load.refusals.values()].reduce((sum, n) => sum + n, 0);
    // 409: the key of a create is still at work.
    expect([...load.refusals.keys()].filter((status) => status !== 503 && status !== 409)).toEqual([]);
    trial.notes.push(
      `${perSecond} items/s over all, ${Math.max(...load.exam.perSecond.values())} in the best second`,
      `${injector.lateWrites} lanes' late writes refused`,
      `${refused} requests refused for the moment, ${load.unanswered} broken off`,
    );
  },
);

/** Four faults, each once in a round, in an order of chance. Each strikes while at least two batches have chunks in work. */
class Injector {
  private readonly known = new Set<ServiceProcess>();
  private readonly asleep = new Map<ServiceProcess, Promise<void>>();
  private readonly faults = {
    kill: (lanes: BusyLane[]) => this.kill(lanes),
    sleep: (lanes: BusyLane[]) => this.sleep(lanes),
    cut: (lanes: BusyLane[]) => this.cut(lanes),
    wipe: (lanes: BusyLane[]) => this.wipe(lanes),
  };
  private round: (keyof Injector['faults'])[] = [];

  constructor(private readonly trial: Trial) {}

  /** Nothing when the trial is over. */
  async next(): Promise<void> {
    const lanes = await eventually(
      () => struck.busy(),
      (busy) => this.trial.over || (new Set(busy.map(({ runId }) => runId)).size >= 2 && this.busyWorkers(busy).length > 0),
      BUSY_MS,
    );
    if (this.trial.over) return;
    if (this.round.length === 0) this.round = this.shuffled();
    await this.faults[this.round.pop()!](lanes);
  }

  async allAwake(): Promise<void> {
    await Promise.all(this.asleep.values());
  }

  /** Of all workers that there were. */
  get lateWrites(): number {
    return [...this.known].reduce((sum, worker) => sum + worker.output().split('lost a lane').length - 1, 0);
  }

  private shuffled(): (keyof Injector['faults'])[] {
    const names = Object.keys(this.faults) as (keyof Injector['faults'])[];
    const places = names.map((name) => ({ name, place: this.trial.random.between(0, 1) }));
    return places.sort((a, b) => a.place - b.place).map(({ name }) => name);
  }

  /** Those that can be struck. */
  private busyWorkers(lanes: BusyLane[]): ServiceProcess[] {
    for (const worker of cluster.workers) this.known.add(worker);
    return cluster.workers.filter((worker) => !this.asleep.has(worker) && lanes.some(({ process }) => process === nameOf(worker)));
  }

  private async kill(lanes: BusyLane[]): Promise<void> {
    const victim = this.trial.random.pick(this.busyWorkers(lanes));
    await cluster.end(victim, 'SIGKILL');
    await this.silenced(victim);
  }

  /** When it wakes up its lanes are others'. */
  private async sleep(lanes: BusyLane[]): Promise<void> {
    const victim = this.trial.random.pick(this.busyWorkers(lanes));
    victim.send('SIGSTOP');
    const awake = delay(SLEEP_MS).then(() => {
      victim.send('SIGCONT');
      this.asleep.delete(victim);
    });
    this.asleep.set(victim, awake);
    await this.silenced(victim);
  }

  private async silenced(victim: ServiceProcess): Promise<void> {
    const at = Date.now();
    this.trial.inject(await struck.ofProcess(nameOf(victim), at), victim.pid, at);
  }

  private async cut(lanes: BusyLane[]): Promise<void> {
    await cluster.pool.query(CUT);
    struck.ofAll(lanes, Date.now());
    this.trial.inject(lanes.length > 0);
  }

  private async wipe(lanes: BusyLane[]): Promise<void> {
    await redis.flushall();
    this.trial.inject(lanes.length > 0);
  }
}
