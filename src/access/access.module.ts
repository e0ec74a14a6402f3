import { Global, Module } from '@nestjs/common';
import { Access } from './access.js';
import { AccessHook } from './access.hook.js';
import { CreationLimit } from './creation-limit.js';

@Global()
@Module({
  providers: [Access, CreationLimit, AccessHook],
  exports: [Access, CreationLimit],
})
export class AccessModule {}
