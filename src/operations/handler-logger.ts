import { Logger } from '@nestjs/common';
import type { HandlerLogger } from './item-handler.js';

/** The logger of one batch's item handler: every line names the batch. */
export function handlerLogger(operation: string, batchId: string): HandlerLogger {
  const logger = new Logger(`ItemHandler ${operation}`);
  return {
    info: (message, fields) => logger.log({ ...fields, batchId }, message),
    warn: (message, fields) => logger.warn({ ...fields, batchId }, message),
  };
}
