import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { RollbackReport } from '../../batches/rollback.view.js';
import { GetRollback } from '../../batches/queries/get-rollback.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Idempotent } from '../../idempotency/idempotency.interceptor.js';
import { RestoreBatch, RestoreReport } from '../../records/commands/restore-batch.command.js';
import type { DataReply } from './envelope.js';
import { RepliesWith } from './reply-schema.js';

@ApiTags('batches')
@Controller('api/batches/:id')
export class RestoresController {
  constructor(private readonly procedures: Procedures) {}

  /** Takes back what an ended batch did: by its items' compensations, and in records when it kept a backup (`backupStrategy: "auto"`). */
  @Post('restore')
  @Idempotent()
  @RepliesWith(RestoreReport)
  @HttpCode(200)
  async restore(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<RestoreReport>> {
    return { success: true, data: await this.procedures.call(RestoreBatch, { batchId }, caller) };
  }

  /** How far the rollback of a batch has come: what is undone, what is left, what could not be undone and why. */
  @Get('rollback')
  @RepliesWith(RollbackReport)
  async rollback(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<RollbackReport>> {
    return { success: true, data: await this.procedures.call(GetRollback, { batchId }, caller) };
  }
}
