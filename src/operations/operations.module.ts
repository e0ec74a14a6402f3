import { Module } from '@nestjs/common';
import { StoresModule } from '../records/stores.module.js';
import { ITEM_HANDLERS } from './item-handlers.js';

/** The service's own item handlers. */
@Module({ imports: [StoresModule], providers: ITEM_HANDLERS })
export class OperationsModule {}
