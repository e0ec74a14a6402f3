import { BadRequestException, HttpException } from '@nestjs/common';
import { AppError, invalidField } from '../../src/common/app-error.js';
import { toProblem } from '../../src/common/problem.js';
import { headersOf } from '../../src/common/problem.filter.js';

const withFields = (fields: object, message = 'x') => Object.assign(new Error(message), fields);

test.each([
  ['PostgreSQL refuses connections', withFields({ code: 'ECONNREFUSED', syscall: 'connect' })],
  ['both addresses of a host refuse', new AggregateError([withFields({ code: 'ECONNREFUSED', syscall: 'connect' })])],
  ['PostgreSQL shuts down', withFields({ driverError: withFields({ code: '57P01' }) })],
  ['PostgreSQL starts up', withFields({ code: '57P03' })],
  ['PostgreSQL has no connection left', withFields({ code: '53300' })],
  ['a statement reached its time limit', withFields({ code: '57014' })],
  ['a deadlock', withFields({ code: '40P01' })],
  ['the pool has no connection in time', new Error('timeout exceeded when trying to connect')],
  ['a connection broke', new Error('Connection terminated unexpectedly')],
  ['it is the cause of another error', new Error('could not save', { cause: withFields({ code: '08006' }) })],
])('when %s the answer is 503 with Retry-After and nothing internal', (_what, error) => {
  const problem = toProblem(error);
  expect(problem.body).toMatchObject({ statusCode: 503, message: 'the database cannot be reached right now; try again' });
  expect(headersOf(problem)).toEqual({ 'retry-after': '2' });
});

test.each([
  ['an error of ours', new TypeError("Cannot read properties of undefined (reading 'id')")],
  ['a wrong statement', withFields({ code: '42P01' }, 'relation "batch" does not exist')],
  ['a missing file', withFields({ code: 'EACCES', syscall: 'open' }, '/etc/shadow')],
  ['something that is not an error', 'boom'],
  ['nothing', undefined],
])('%s answers 500 without a word of it', (_what, thrown) => {
  expect(toProblem(thrown)).toEqual({
    expected: false,
    retryAfterMs: undefined,
    body: {
      success: false,
      error: 'something went wrong in the service; it has been logged',
      message: 'something went wrong in the service; it has been logged',
      statusCode: 500,
      details: { errors: [] },
    },
  });
});

test('an expected error keeps its sentence, its fields and its time', () => {
  expect(toProblem(invalidField('items.3.key', 'must be a string', 'invalid_type')).body).toEqual({
    success: false,
    error: 'items.3.key: must be a string',
    message: 'items.3.key: must be a string',
    statusCode: 400,
    details: { errors: [{ path: 'items.3.key', message: 'items.3.key: must be a string', code: 'invalid_type' }] },
  });
  const limited = toProblem(new AppError('RATE_LIMITED', 'slow down', { details: { retryAfterMs: 59_001 } }));
  expect(headersOf(limited)).toEqual({ 'retry-after': '60' });
});

test('errors of the framework keep their status', () => {
  expect(toProblem(new BadRequestException('Unexpected field')).body).toMatchObject({ statusCode: 400, message: 'Unexpected field' });
  expect(toProblem(new HttpException('File too large', 413)).body).toMatchObject({ statusCode: 413 });
  expect(headersOf(toProblem(new AppError('UNAUTHORIZED', 'no credentials')))).toEqual({ 'www-authenticate': 'Bearer realm="batchwise"' });
});

test('text that PostgreSQL cannot store is the fault of the request', () => {
  expect(toProblem(withFields({ code: '22021' })).body.statusCode).toBe(400);
});
