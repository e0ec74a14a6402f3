import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { BatchGateway } from './batch.gateway.js';
import { BroadcastBatchEventsListener } from './broadcast-batch-events.listener.js';

/** Live batch events over Socket.IO. */
@Module({ imports: [BatchesModule], providers: [BatchGateway, BroadcastBatchEventsListener] })
export class RealtimeModule {}
