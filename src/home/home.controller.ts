import { Controller, Get, Header, Headers, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../access/access.hook.js';
import { homeLinks, homePage } from './home-page.js';

/** Where a person who opens the service's address is shown on to. Says nothing that strangers may not know. */
@ApiExcludeController()
@Controller()
export class HomeController {
  @Public()
  @Get()
  @Header('vary', 'accept')
  async show(@Headers('accept') accept: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    if (accept?.includes('text/html')) await reply.type('text/html; charset=utf-8').send(homePage());
    else await reply.send({ success: true, data: homeLinks() });
  }
}
