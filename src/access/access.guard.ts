import { type CanActivate, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Access, credentialsOf } from './access.js';

const PUBLIC = 'public route';

/** Opens a route, or all routes of a controller, to everybody. Every other route wants credentials. */
export const Public = () => SetMetadata(PUBLIC, true);

@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly access: Access,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    // Sockets show their credentials once, when they connect.
    if (context.getType() !== 'http') return true;
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { caller } = await this.access.identify(credentialsOf(request.headers));
    request.caller = caller;
    return true;
  }
}
