import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { Threads } from '../threads/threads.js';
import { ITEM_HANDLER, type ItemHandlerClass, type ItemHandlerMetadata } from './item-handler.js';

export interface RegisteredHandler extends ItemHandlerMetadata {
  handler: ItemHandlerClass;
}

/** Every provider class marked with `@ItemHandler`, by operation. Two for one operation stop the start. */
@Injectable()
export class ItemHandlerRegistry implements OnModuleInit {
  private readonly byOperation = new Map<string, RegisteredHandler>();
  /** A provider that several modules import is found several times. */
  private readonly seen = new Set<ItemHandlerClass>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly threads: Threads,
  ) {}

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
    const { operation, thread } = metadata;
    if (this.seen.has(handler)) return;
    this.seen.add(handler);
    const other = this.byOperation.get(operation);
    if (other) {
      throw new Error(`two item handlers claim the operation "${operation}": ${other.handler.constructor.name} and ${name}; rename one`);
    }
    if (thread instanceof URL && (handler.run ?? handler.runChunk)) {
      throw new Error(`item handler ${name} of operation "${operation}" has a thread, which works its items: remove run or runChunk`);
    }
    if (!(thread instanceof URL) && !handler.run === !handler.runChunk) {
      throw new Error(`item handler ${name} of operation "${operation}" must have either run or runChunk`);
    }
    const { slotsPerWorker: slots } = handler;
    if (slots !== undefined && !(Number.isInteger(slots) && slots >= 1)) {
      throw new Error(`item handler ${name} of operation "${operation}" has slotsPerWorker ${slots}; it must be a whole number from 1`);
    }
    this.byOperation.set(operation, { ...metadata, handler: thread instanceof URL ? this.threaded(metadata, thread, handler) : handler });
  }

  /** The handler with a `run` that works each item in a thread. */
  private threaded({ threadMemoryMb }: ItemHandlerMetadata, module: URL, handler: ItemHandlerClass): ItemHandlerClass {
    const run: ItemHandlerClass['run'] = (item, context) => this.threads.runItem(module, threadMemoryMb, item, context);
    return Object.assign(Object.create(handler) as ItemHandlerClass, { run });
  }
}
