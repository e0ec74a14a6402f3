import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ThreadsModule } from '../threads/threads.module.js';
import { ItemHandlerRegistry } from './item-handler.registry.js';

/** The registry of item handlers. The handlers themselves are providers of any module: being marked is enough. */
@Module({
  imports: [DiscoveryModule, ThreadsModule],
  providers: [ItemHandlerRegistry],
  exports: [ItemHandlerRegistry],
})
export class ItemHandlersModule {}
