import { Body, Controller, Get, Param, Patch } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { BreakerView } from '../../breakers/breaker.view.js';
import { UpdateBreaker } from '../../breakers/commands/update-breaker.command.js';
import { GetBreaker } from '../../breakers/queries/get-breaker.query.js';
import { ListBreakers } from '../../breakers/queries/list-breakers.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { UpdateBreakerRequest } from './breakers.request.js';
import type { DataReply } from './envelope.js';
import { RepliesWith, RepliesWithList } from './reply-schema.js';

/** Which providers are left alone because they fail. */
@ApiTags('breakers')
@Controller('api/breakers')
export class BreakersController {
  constructor(private readonly procedures: Procedures) {}

  /** The circuits that have failed once or that somebody set. */
  @Get()
  @RepliesWithList(BreakerView)
  async list(@CurrentCaller() caller: Caller): Promise<DataReply<BreakerView[]>> {
    return { success: true, data: await this.procedures.call(ListBreakers, {}, caller) };
  }

  /** The circuit to one provider. */
  @Get(':provider')
  @RepliesWith(BreakerView)
  async get(@Param('provider') provider: string, @CurrentCaller() caller: Caller): Promise<DataReply<BreakerView>> {
    return { success: true, data: await this.procedures.call(GetBreaker, { provider }, caller) };
  }

  /** Sets when it opens, or holds it open or closed. */
  @Patch(':provider')
  @RepliesWith(BreakerView)
  async update(
    @Param('provider') provider: string,
    @Body() request: UpdateBreakerRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BreakerView>> {
    return { success: true, data: await this.procedures.call(UpdateBreaker, { provider, ...request }, caller) };
  }
}
