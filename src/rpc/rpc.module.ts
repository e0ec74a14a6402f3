import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { BatchFeeds } from './batch-feeds.js';
import { RpcServer } from './rpc.server.js';

/** The tRPC router at `/trpc`. */
@Module({ imports: [BatchesModule], providers: [RpcServer, BatchFeeds] })
export class RpcModule {}
