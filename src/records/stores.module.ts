import { Module } from '@nestjs/common';
import { ThreadsModule } from '../threads/threads.module.js';
import { FileContents } from './contents/file-contents.js';
import { FileStore } from './file-store.js';
import { RecordBound } from './record-bound.js';
import { RecordStore } from './record-store.js';
import { FileCleaner } from './uploads/file-cleaner.js';

/** Where records and files are kept, alone: item handlers need it, and the procedures of records are made of the engine that runs them. */
@Module({
  imports: [ThreadsModule],
  providers: [FileStore, FileContents, FileCleaner, RecordBound, RecordStore],
  exports: [FileStore, FileContents, RecordBound, RecordStore],
})
export class StoresModule {}
