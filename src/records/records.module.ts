import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { DeleteCollectionHandler } from './commands/delete-collection.command.js';
import { DeleteFileHandler } from './commands/delete-file.command.js';
import { DeleteRecordHandler } from './commands/delete-record.command.js';
import { ImportRecordsHandler } from './commands/import-records.command.js';
import { PutRecordHandler } from './commands/put-record.command.js';
import { ReceiveUploadHandler } from './commands/receive-upload.command.js';
import { RestoreBatchHandler } from './commands/restore-batch.command.js';
import { UploadFileHandler } from './commands/upload-file.command.js';
import { UploadFilesHandler } from './commands/upload-files.command.js';
import { FilesController } from './files.controller.js';
import { GetFileHandler } from './queries/get-file.query.js';
import { GetRecordHandler } from './queries/get-record.query.js';
import { ListCollectionsHandler } from './queries/list-collections.query.js';
import { ListFilesHandler } from './queries/list-files.query.js';
import { ListRecordsHandler } from './queries/list-records.query.js';
import { ReadFileHandler } from './queries/read-file.query.js';
import { RecordsController } from './records.controller.js';
import { StoresModule } from './stores.module.js';
import { UploadAllowance } from './uploads/upload-allowance.js';

/** Collections of records, and files: what the operations read and write. */
@Module({
  imports: [BatchesModule, StoresModule],
  controllers: [RecordsController, FilesController],
  providers: [
    ImportRecordsHandler,
    PutRecordHandler,
    DeleteRecordHandler,
    DeleteCollectionHandler,
    RestoreBatchHandler,
    UploadFileHandler,
    UploadFilesHandler,
    DeleteFileHandler,
    ReceiveUploadHandler,
    UploadAllowance,
    GetRecordHandler,
    ListRecordsHandler,
    ListCollectionsHandler,
    GetFileHandler,
    ListFilesHandler,
    ReadFileHandler,
  ],
})
export class RecordsModule {}
