import { AppError } from '../../src/common/app-error.js';
import { inErpWords, toCreateInput } from '../../src/dialects/erp/erp-create.js';

test('settings of the batch and parameters of its operation are told apart', () => {
  const input = toCreateInput({
    operation: 'annotate',
    filters: { status: 'pending', category: 'invoice' },
    options: { model: 'gpt-4', batchSize: 50, retryAttempts: 3, timeout: 60_000, priority: 'high', notifyOnComplete: true },
    name: 'Monthly invoice annotation',
    total_items: 7,
  });
  expect(input).toEqual({
    operation: 'annotate',
    filters: { status: 'pending', category: 'invoice' },
    options: { batchSize: 50, retryAttempts: 3, timeout: 60_000, priority: 'high', notifyOnComplete: true },
    parameters: { model: 'gpt-4' },
    name: 'Monthly invoice annotation',
    totalItems: 7,
  });
});

test('an operation without parameters gets none', () => {
  expect(toCreateInput({ operation: 'report', options: { batchSize: 5 } }).parameters).toBeUndefined();
  expect(toCreateInput({ operation: 'report' })).toMatchObject({ options: {} });
});

test('an option that is not built yet is refused by its name instead of being taken for granted', () => {
  const refused = { code: 'UNPROCESSABLE', details: { errors: [expect.objectContaining({ path: 'options.schedule' })] } };
  expect(() => toCreateInput({ operation: 'report', options: { schedule: 5 } })).toThrow(expect.objectContaining(refused));
});

test('errors of the engine are told in the words of the request', async () => {
  const errors = [
    { path: 'parameters.modle', message: 'parameters.modle is not a known field', code: 'unrecognized_keys' as const },
    { path: 'totalItems', message: 'totalItems: is 5, but 3 items are given', code: 'custom' as const },
    { path: 'options.batchSize', message: 'batchSize must be an integer number', code: 'invalid_type' as const },
  ];
  const cause = new AppError('UNPROCESSABLE', 'parameters.modle is not a known field', { details: { errors } });
  await expect(inErpWords(() => Promise.reject(cause))).rejects.toMatchObject({
    code: 'UNPROCESSABLE',
    message: 'options.modle is not a known field',
    details: {
      errors: [
        { path: 'options.modle', message: 'options.modle is not a known field' },
        { path: 'total_items', message: 'total_items: is 5, but 3 items are given' },
        { path: 'options.batchSize', message: 'batchSize must be an integer number' },
      ],
    },
  });
});
