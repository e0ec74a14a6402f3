import { Controller, Get, type OnModuleDestroy, ServiceUnavailableException } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type HealthCheckResult, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Public } from '../access/access.hook.js';
import { AppError } from '../common/app-error.js';
import { ProcessRecycler } from '../common/process-recycler.js';
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
      return await this.health.check([() => this.database(), () => this.lanes()]);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      const { error: down = {} } = error.getResponse() as HealthCheckResult;
      const message = `the service is not ready: ${Object.keys(down).join(', ')} cannot be reached`;
      throw new AppError('UNAVAILABLE', message, { details: { retryAfterMs: RETRY_MS }, cause: error });
    }
  }

  private database() {
    return this.indicators
      .check('database')
      .attempt(async () => {
        await this.dataSource.query('SELECT 1');
      })
      .withTimeout(CHECK_LIMIT_MS);
  }

  private async lanes() {
    const queue = this.indicators.check('queue');
    return (await this.queue.isHealthy().catch(() => false)) ? queue.up() : queue.degraded('work waits for the next sweep');
  }
}
