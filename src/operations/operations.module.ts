import { Module } from '@nestjs/common';
import { AiModule } from '../ai/ai.module.js';
import { StoresModule } from '../records/stores.module.js';
import { ITEM_HANDLERS } from './item-handlers.js';

/** The service's own item handlers. */
@Module({ imports: [StoresModule, AiModule], providers: ITEM_HANDLERS })
export class OperationsModule {}
