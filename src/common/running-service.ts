import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { Procedures } from './procedure.js';

const running = new Set<ServiceInProcess>();

/** The service as plain objects of the same process need it: those that are made with `new`, not by the framework. */
@Injectable()
export class ServiceInProcess implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    readonly procedures: Procedures,
    readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    running.add(this);
  }

  onApplicationShutdown(): void {
    running.delete(this);
  }
}

/**
 * The service that runs in this process.
 * @throws Error when none runs, and when several do
 */
export function runningService(): ServiceInProcess {
  const [service, ...others] = running;
  if (!service) throw new Error('no Batchwise service runs in this process; start one first (startService)');
  if (others.length > 0) {
    throw new Error(`${running.size} Batchwise services run in this process; name one: app.get(ServiceInProcess)`);
  }
  return service;
}
