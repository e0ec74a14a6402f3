import type { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { invalidField } from '../../common/app-error.js';
import type { InputOf } from '../../common/procedure.js';
import type { CreateBatchRequest } from '../batch-service/batch-service.types.js';
import { jsonObject } from './json-object.js';

/** A body that names `data` or `operation`. The other fields are checked where the batch is created. */
export type CreateBody = { ofData: CreateBatchRequest } | { ofOperation: InputOf<CreateBatch> };

const WITH_DATA = 'name, description, type, priority and config';
const WITH_OPERATION = 'name, description, items, filters, parameters, totalItems, options, external, start and open';

/** Which of the two kinds of batches a body describes. @throws AppError INVALID_INPUT that says which fields belong to which */
export function readCreateBody(body: unknown): CreateBody {
  const fields = jsonObject(body);
  const [ofData, ofOperation] = ['data' in fields, 'operation' in fields];
  if (ofData && ofOperation)
    throw invalidField('data', `does not go with operation; give either: ${WITH_DATA}; the other with ${WITH_OPERATION}`);
  if (!ofData && !ofOperation)
    throw invalidField('operation', `is missing, and so is data; give either: ${WITH_OPERATION}; data with ${WITH_DATA}`, 'invalid_type');
  return ofData ? { ofData: fields as unknown as CreateBatchRequest } : { ofOperation: fields as unknown as InputOf<CreateBatch> };
}
