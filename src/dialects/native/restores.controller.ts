import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Idempotent } from '../../idempotency/idempotency.interceptor.js';
import { RestoreBatch, RestoreReport } from '../../records/commands/restore-batch.command.js';
import type { DataReply } from './envelope.js';
import { RepliesWith } from './reply-schema.js';

@ApiTags('batches')
@Controller('api/batches/:id/restore')
export class RestoresController {
  constructor(private readonly procedures: Procedures) {}

  /** Takes back what an ended batch changed in records. It needs a backup: `options.backupStrategy: "auto"`. */
  @Post()
  @Idempotent()
  @RepliesWith(RestoreReport)
  @HttpCode(200)
  async restore(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<RestoreReport>> {
    return { success: true, data: await this.procedures.call(RestoreBatch, { batchId }, caller) };
  }
}
