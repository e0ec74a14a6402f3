import { Module } from '@nestjs/common';
import { StoresModule } from '../records/stores.module.js';
import { ThreadsModule } from '../threads/threads.module.js';
import { DocumentReader } from './document/document-reader.js';
import { AnalysisProvider } from './provider/analysis-provider.js';
import { CircuitBreakers } from './provider/circuit-breakers.js';

/** Reads documents and finds out about them, by rules or by a provider. */
@Module({
  imports: [StoresModule, ThreadsModule],
  providers: [DocumentReader, AnalysisProvider, CircuitBreakers],
  exports: [DocumentReader, AnalysisProvider],
})
export class AiModule {}
