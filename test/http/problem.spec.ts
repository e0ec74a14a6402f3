import { BadRequestException, HttpException } from '@nestjs/common';
import { AppError, invalidField } from '../../src/common/app-error.js';
import { explainOutages } from '../../src/common/outage.js';
import { toProblem } from '../../src/common/problem.js';
import { headersOf } from '../../src/common/problem.filter.js';

const withFields = (fields: object, message = 'x') => Object.assign(new Error(message), fields);

const AWAY = 'the database cannot be reached right now; try again';

test.each<[what: string, error: Error, message: string | RegExp, retryAfter?: string, status?: number]>([
  ['PostgreSQL refuses connections', withFields({ code: 'ECONNREFUSED', syscall: 'connect' }), AWAY],
  ['both addresses of a host refuse', new AggregateError([withFields({ code: 'ECONNREFUSED', syscall: 'connect' })]), AWAY],
  ['PostgreSQL shuts down', withFields({ driverError: withFields({ code: '57P01' }) }), /^the database is just starting or shutting down/],
  ['PostgreSQL starts up', withFields({ code: '57P03' }), /^the database is just starting or shutting down/],
  [
    'PostgreSQL has no connection left',
    withFields({ code: '53300' }),
    /^the database has too many connections.*DATABASE_POOL_SIZE.*max_connections/,
  ],
  ["PostgreSQL's disk is full", withFields({ code: '53100' }), /^no space left on the database's disk/, '30', 507],
  ['PostgreSQL is out of memory', withFields({ code: '53200' }), /^the database is out of memory/],
  ['a statement reached its time limit', withFields({ code: '57014' }), /^the database took too long/],
  ['a deadlock', withFields({ code: '40P01' }), /^the database is busy/],
  ['a serialization failure', withFields({ driverError: withFields({ code: '40001' }) }), /^the database is busy/],
  ['a lock that is not to be had', withFields({ code: '55P03' }), /^the database is busy/],
  ['a standby', withFields({ code: '25006' }), /^the database takes no changes: it is a standby/],
  ['a disk that fails', withFields({ code: '58030' }), /^the database cannot read or write its own files/, '30'],
  ['a password that was changed', withFields({ code: '28P01' }), /^the database refuses this service.*DATABASE_URL/, '30'],
  ['the pool has no connection in time', new Error('timeout exceeded when trying to connect'), AWAY],
  ['a connection broke', new Error('Connection terminated unexpectedly'), AWAY],
  ['it is the cause of another error', new Error('could not save', { cause: withFields({ code: '08006' }) }), AWAY],
])('%s is told as what it is, with Retry-After and nothing internal', (_what, error, message, retryAfter = '2', status = 503) => {
  const problem = toProblem(error);
  expect(problem.body).toMatchObject({ statusCode: status, message: expect.stringMatching(message) });
  expect(headersOf(problem)).toEqual({ 'retry-after': retryAfter });
});

test('whoever runs the database in this process says why it is away', () => {
  const forget = explainOutages(() => 'the embedded PostgreSQL has ended');
  const refused = withFields({ code: 'ECONNREFUSED', syscall: 'connect' });
  expect(toProblem(refused).body.message).toBe('the embedded PostgreSQL has ended');
  // Which an error that has a reason of its own need not be told.
  expect(toProblem(withFields({ code: '40P01' })).body.message).toMatch(/busy/);
  forget();
  expect(toProblem(refused).body.message).toBe(AWAY);
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
