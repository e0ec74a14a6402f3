import { type DynamicModule, Global, Module } from '@nestjs/common';
import { HangingCalls } from './common/hanging-calls.js';
import { ProcessRecycler } from './common/process-recycler.js';
import { Config } from './config.js';

/** What every part of a process may need: its settings, what hangs in it, and a way to say that it cannot go on. */
@Global()
@Module({})
export class ConfigModule {
  static with(config: Config): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: Config, useValue: config }, ProcessRecycler, HangingCalls],
      exports: [Config, ProcessRecycler, HangingCalls],
    };
  }
}
