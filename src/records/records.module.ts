import { Module } from '@nestjs/common';
import { BatchesModule } from '../batches/batches.module.js';
import { ImportRecordsHandler } from './commands/import-records.command.js';
import { PutRecordHandler } from './commands/put-record.command.js';
import { ReceiveUploadHandler } from './commands/receive-upload.command.js';
import { RestoreBatchHandler } from './commands/restore-batch.command.js';
import { UploadFileHandler } from './commands/upload-file.command.js';
import { FilesController } from './files.controller.js';
import { GetRecordHandler } from './queries/get-record.query.js';
import { ListRecordsHandler } from './queries/list-records.query.js';
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
    RestoreBatchHandler,
    UploadFileHandler,
    ReceiveUploadHandler,
    UploadAllowance,
    GetRecordHandler,
    ListRecordsHandler,
  ],
})
export class RecordsModule {}
