import { Global, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Access } from './access.js';
import { AccessGuard } from './access.guard.js';
import { CreationLimit } from './creation-limit.js';

@Global()
@Module({
  providers: [Access, CreationLimit, { provide: APP_GUARD, useClass: AccessGuard }],
  exports: [Access, CreationLimit],
})
export class AccessModule {}
