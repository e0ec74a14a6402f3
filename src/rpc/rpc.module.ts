import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';

/** The tRPC router at `/trpc`. */
@Module({ imports: [BatchesModule] })
export class RpcModule {}
