import { Controller, Get, type OnModuleDestroy, ServiceUnavailableException } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type HealthCheckResult, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Public } from '../access/access.hook.js';
import { AppError } from '../common/app-error.js';
import { outageOf } from '../common/outage.js';
import { ProcessRecycler } from '../common/process-recycler.js';
import { FreeSpace } from '../database/free-space.js';
import { DATA_SOURCE } from '../database/sql.js';
import { LaneQueue } from '../queue/lane-queue.js';
import { LiveReply } from './health.reply.js';

const CHECK_LIMIT_MS = 2_000;
const RETRY_MS = 2_000;

@ApiTags('health')
@Controller('health')
export class HealthController implements OnModuleDestroy {
  private stopping = false;

  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    @InjectDataSource(DATA_SOURCE) private readonly dataSource: DataSource,
    private readonly queue: LaneQueue,
    private readonly recycler: ProcessRecycler,
    private readonly space: FreeSpace,
  ) {}

  onModuleDestroy(): void {
    this.stopping = true;
  }

  /** Answers as long as the process does; asks nothing outside of it. */
  @Public()
  @Get('live')
  live(): LiveReply {
    return { status: 'ok' };
  }

  /** Whether requests should be sent here: 503 without the database, while shutting down, and when only a new process could help. Without the queue work is only slower. */
  @Public()
  @Get('ready')
  async ready(): Promise<HealthCheckResult> {
    if (this.stopping) throw new AppError('UNAVAILABLE', 'the service is shutting down', { details: { retryAfterMs: RETRY_MS } });
    const { fault } = this.recycler;
    if (fault !== undefined)
      throw new AppError('UNAVAILABLE', `the process is to be replaced: ${fault}`, { details: { retryAfterMs: RETRY_MS } });
    try {
      return await this.health.check([() => this.database(), () => this.lanes(), () => this.disks()]);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      const { error: down = {} } = error.getResponse() as HealthCheckResult;
      const reasons = Object.values(down).map((each) => String(each?.reason));
      const message = `the service is not ready: ${reasons.join('; ')}`;
      throw new AppError('UNAVAILABLE', message, { details: { retryAfterMs: RETRY_MS }, cause: error });
    }
  }

  private async database() {
    const database = this.indicators.check('database');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`timeout expired after ${CHECK_LIMIT_MS} ms`)), CHECK_LIMIT_MS);
    });
    try {
      await Promise.race([this.dataSource.query('SELECT 1'), late]);
      return database.up();
    } catch (error) {
      return database.down({ reason: outageOf(error)?.message ?? 'the database does not answer as it should; see the log' });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Without space what is there can still be read, cancelled and deleted: the process stays ready, and says what is missing. */
  private disks() {
    const space = this.indicators.check('space');
    const short = (['database', 'files'] as const).flatMap((use) => {
      const shortage = this.space.shortage(use);
      return shortage ? [[use, shortage] as const] : [];
    });
    return short.length === 0 ? space.up() : space.degraded(Object.fromEntries(short));
  }

  private async lanes() {
    const queue = this.indicators.check('queue');
    return (await this.queue.isHealthy().catch(() => false)) ? queue.up() : queue.degraded('work waits for the next sweep');
  }
}
