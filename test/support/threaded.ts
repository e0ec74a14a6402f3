import { Module } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ItemHandler } from '../../src/operations/item-handler.js';

/** Works items in threads, see {@link file://./threads/scripted.mjs}. */
const SCRIPTED = pathToFileURL(join(__dirname, 'threads/scripted.mjs'));

class ThreadedParameters {
  @IsOptional() @IsString() word?: string;
}

@ItemHandler('threaded', { parameters: ThreadedParameters, thread: SCRIPTED, threadMemoryMb: 64 })
class ThreadedItemHandler {}

@ItemHandler('threaded-lost', { thread: pathToFileURL(join(__dirname, 'threads/nowhere.mjs')) })
class LostItemHandler {}

@Module({ providers: [ThreadedItemHandler, LostItemHandler] })
export class ThreadedModule {}
