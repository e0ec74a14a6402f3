import { Module } from '@nestjs/common';
import { BreakersModule } from '../breakers/breakers.module.js';
import { StoresModule } from '../records/stores.module.js';
import { ThreadsModule } from '../threads/threads.module.js';
import { DocumentReader } from './document/document-reader.js';
import { AnalysisProvider } from './provider/analysis-provider.js';

/** Reads documents and finds out about them, by rules or by a provider. */
@Module({
  imports: [StoresModule, ThreadsModule, BreakersModule],
  providers: [DocumentReader, AnalysisProvider],
  exports: [DocumentReader, AnalysisProvider],
})
export class AiModule {}
