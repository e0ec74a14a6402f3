import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyContextConfig, FastifyInstance } from 'fastify';
import { AppError } from '../common/app-error.js';
import { Config, type RouteAccess } from '../config.js';
import { Access, credentialsOf } from './access.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Everybody may ask. Every other route wants credentials, unless a setting says who may ask. */
    public?: boolean;
    accessSetting?: AccessSetting;
  }
}

type AccessSetting = 'metricsAccess' | 'docsAccess';

/** Opens a route to everybody. */
export const Public = () => RouteConfig({ public: true });

/** Leaves it to a setting who may ask a route. */
export const AccessBySetting = (accessSetting: AccessSetting) => RouteConfig({ accessSetting });

/** Knows who asks before the body is read: a megabyte of JSON from a stranger is never parsed. */
@Injectable()
export class AccessHook implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly access: Access,
    private readonly config: Config,
  ) {}

  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onRequest', async (request) => {
      const { config } = request.routeOptions;
      const access = this.accessTo(config);
      if (access === 'off') throw new AppError('NOT_FOUND', `${request.method} ${request.routeOptions.url} is switched off here`);
      if (access === 'public' || request.is404) return;
      const { caller } = await this.access.identify(credentialsOf(request.headers), request.ip);
      request.caller = caller;
    });
  }

  private accessTo({ public: isPublic, accessSetting }: FastifyContextConfig): RouteAccess {
    if (accessSetting) return this.config[accessSetting];
    return isPublic ? 'public' : 'authenticated';
  }
}
