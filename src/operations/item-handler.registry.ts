import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { ITEM_HANDLER, type ItemHandlerClass, type ItemHandlerMetadata } from './item-handler.js';

export interface RegisteredHandler extends ItemHandlerMetadata {
  handler: ItemHandlerClass;
}

/** Every provider class marked with `@ItemHandler`, by operation. Two for one operation stop the start. */
@Injectable()
export class ItemHandlerRegistry implements OnModuleInit {
  private readonly byOperation = new Map<string, RegisteredHandler>();

  constructor(private readonly discovery: DiscoveryService) {}

  onModuleInit(): void {
    for (const { metatype, instance } of this.discovery.getProviders()) {
      const metadata = metatype && (Reflect.getMetadata(ITEM_HANDLER, metatype) as ItemHandlerMetadata | undefined);
      if (metadata) this.add(metadata, instance as ItemHandlerClass, metatype.name);
    }
  }

  get(operation: string): RegisteredHandler | undefined {
    return this.byOperation.get(operation);
  }

  get operations(): string[] {
    return [...this.byOperation.keys()];
  }

  private add(metadata: ItemHandlerMetadata, handler: ItemHandlerClass, name: string): void {
    const { operation } = metadata;
    const other = this.byOperation.get(operation);
    if (other?.handler === handler) return;
    if (other) {
      throw new Error(`two item handlers claim the operation "${operation}": ${other.handler.constructor.name} and ${name}; rename one`);
    }
    if (!handler.run === !handler.runChunk) {
      throw new Error(`item handler ${name} of operation "${operation}" must have either run or runChunk`);
    }
    const { slotsPerWorker: slots } = handler;
    if (slots !== undefined && !(Number.isInteger(slots) && slots >= 1)) {
      throw new Error(`item handler ${name} of operation "${operation}" has slotsPerWorker ${slots}; it must be a whole number from 1`);
    }
    this.byOperation.set(operation, { ...metadata, handler });
  }
}
