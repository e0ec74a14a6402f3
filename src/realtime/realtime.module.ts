import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { TenantQuota } from '../common/tenant-quota.js';
import { Config } from '../config.js';
import { BatchGateway } from './batch.gateway.js';
import { DashboardStream } from './dashboard-stream.js';
import { BroadcastBatchEventsListener } from './broadcast-batch-events.listener.js';

/** Live batch events over Socket.IO, and over the plain WebSocket of the document interface. */
@Module({
  imports: [BatchesModule],
  providers: [
    BatchGateway,
    DashboardStream,
    BroadcastBatchEventsListener,
    {
      provide: TenantQuota,
      inject: [Config],
      useFactory: ({ socketsPerTenant }: Config) => new TenantQuota(socketsPerTenant, 'open sockets (SOCKETS_PER_TENANT)'),
    },
  ],
})
export class RealtimeModule {}
