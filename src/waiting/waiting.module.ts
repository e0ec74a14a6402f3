import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { GetItemWaitingHandler } from './queries/get-item-waiting.query.js';
import { GetWaitingHandler } from './queries/get-waiting.query.js';

/** Says why a batch or an item waits. */
@Module({ imports: [BatchesModule], providers: [GetWaitingHandler, GetItemWaitingHandler] })
export class WaitingModule {}
