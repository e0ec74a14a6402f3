import { BullModule } from '@nestjs/bull';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { ProcessRecycler } from '../common/process-recycler.js';
import { BullConnections } from './bull-connections.js';
import { BullLaneQueue, EXPRESS_LANES, LANES } from './bull-lane-queue.js';
import { EventChannel, InProcessEventChannel } from './event-channel.js';
import { InProcessLaneQueue } from './in-process-lane-queue.js';
import { LaneQueue } from './lane-queue.js';
import { RedisEventChannel } from './redis-event-channel.js';
import { RedisWatchdog } from './redis-watchdog.js';

@Global()
@Module({})
export class QueueModule {
  /** @param redisUrl unset: bells and events stay within this process */
  static forRedis(redisUrl: string | undefined): DynamicModule {
    return redisUrl === undefined ? inProcess() : onRedis(redisUrl);
  }
}

@Module({})
class RedisConnectionsModule {}

function inProcess(): DynamicModule {
  return {
    module: QueueModule,
    providers: [
      { provide: LaneQueue, useClass: InProcessLaneQueue },
      { provide: EventChannel, useClass: InProcessEventChannel },
    ],
    exports: [LaneQueue, EventChannel],
  };
}

function onRedis(redisUrl: string): DynamicModule {
  const connections: DynamicModule = {
    module: RedisConnectionsModule,
    providers: [
      {
        provide: RedisWatchdog,
        inject: [ProcessRecycler],
        useFactory: (recycler: ProcessRecycler) => new RedisWatchdog(redisUrl, recycler),
      },
      {
        provide: BullConnections,
        inject: [RedisWatchdog],
        useFactory: (watchdog: RedisWatchdog) => new BullConnections(redisUrl, watchdog),
      },
    ],
    exports: [RedisWatchdog, BullConnections],
  };
  return {
    module: QueueModule,
    imports: [
      connections,
      BullModule.registerQueueAsync(
        ...[LANES, EXPRESS_LANES].map((name) => ({
          name,
          imports: [connections],
          inject: [BullConnections],
          useFactory: (opened: BullConnections) => ({
            createClient: (type: 'client' | 'subscriber' | 'bclient') => opened.open(type),
            // A bell whose worker died is not worth a second try: the lane's lease brings the run back.
            settings: { maxStalledCount: 0, retryProcessDelay: 500 },
            defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
          }),
        })),
      ),
    ],
    providers: [
      BullLaneQueue,
      { provide: LaneQueue, useExisting: BullLaneQueue },
      {
        provide: EventChannel,
        inject: [RedisWatchdog],
        useFactory: (watchdog: RedisWatchdog) => new RedisEventChannel(redisUrl, watchdog),
      },
    ],
    exports: [LaneQueue, EventChannel],
  };
}
