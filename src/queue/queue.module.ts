import { BullModule } from '@nestjs/bull';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { BullConnections } from './bull-connections.js';
import { BullLaneQueue, EXPRESS_LANES, LANES } from './bull-lane-queue.js';
import { EventChannel, InProcessEventChannel } from './event-channel.js';
import { InProcessLaneQueue } from './in-process-lane-queue.js';
import { LaneQueue } from './lane-queue.js';
import { RedisEventChannel } from './redis-event-channel.js';

@Global()
@Module({})
export class QueueModule {
  /** @param redisUrl unset: bells and events stay within this process */
  static forRedis(redisUrl: string | undefined): DynamicModule {
    return redisUrl === undefined ? inProcess() : onRedis(redisUrl);
  }
}

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
  const connections = new BullConnections(redisUrl);
  return {
    module: QueueModule,
    imports: [
      BullModule.registerQueue(
        ...[LANES, EXPRESS_LANES].map((name) => ({
          name,
          createClient: (type: 'client' | 'subscriber' | 'bclient') => connections.open(type),
          // A bell whose worker died is not worth a second try: the lane's lease brings the run back.
          settings: { maxStalledCount: 0, retryProcessDelay: 500 },
          defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
        })),
      ),
    ],
    providers: [
      { provide: BullConnections, useValue: connections },
      BullLaneQueue,
      { provide: LaneQueue, useExisting: BullLaneQueue },
      { provide: EventChannel, useFactory: () => new RedisEventChannel(redisUrl) },
    ],
    exports: [LaneQueue, EventChannel],
  };
}
