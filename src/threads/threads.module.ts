import { Module } from '@nestjs/common';
import { Threads } from './threads.js';

/** The process's threads for work that takes much processor time or memory. */
@Module({ providers: [Threads], exports: [Threads] })
export class ThreadsModule {}
