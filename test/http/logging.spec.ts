import { type LoggerOptions, pino } from 'pino';
import { httpLogOptions } from '../../src/common/logging.module.js';
import { logWithin, ServiceLogger } from '../../src/common/service-logger.js';

function logged(fields: object): string {
  let text = '';
  const options = httpLogOptions({ logLevel: 'info' }) as LoggerOptions;
  pino(options, { write: (line: string) => (text += line) }).info(fields, 'hello');
  return text;
}

test.each([
  [{ headers: { authorization: 'SECRET', cookie: 'SECRET', 'x-api-key': 'SECRET' } }],
  [{ res: { headers: { 'set-cookie': 'SECRET' } } }],
  [{ req: { method: 'GET', url: '/api/batch/stats?token=SECRET', headers: { authorization: 'SECRET' } } }],
  [{ handshake: { token: 'SECRET', apiKey: 'SECRET', 'x-api-key': 'SECRET' } }],
  [{ token: 'SECRET', apiKey: 'SECRET', authorization: 'SECRET', cookie: 'SECRET', 'x-api-key': 'SECRET' }],
])('no secret of %j gets into the log', (fields) => {
  const text = logged(fields);
  expect(text).toContain('hello');
  expect(text).not.toContain('SECRET');
});

test('a request is logged by its method and path', () => {
  expect(JSON.parse(logged({ req: { id: 'r1', method: 'GET', url: '/api/batch/x?limit=2' } }))).toMatchObject({
    req: { id: 'r1', method: 'GET', url: '/api/batch/x' },
  });
});

describe('the lines of the service', () => {
  function lines(write: (logger: ServiceLogger) => void): unknown[] {
    const written: unknown[] = [];
    const root = pino({ level: 'trace' }, { write: (line: string) => written.push(JSON.parse(line)) });
    write(new ServiceLogger(root));
    logWithin(root.child({ req: { id: 'r1' } }), () => write(new ServiceLogger(root)));
    return written;
  }

  test('carry the class that logs, and the id of the request that they are caused by', () => {
    const [outside, within] = lines((logger) => logger.warn('the disk is slow', 'FileStore'));
    expect(outside).toMatchObject({ level: 40, msg: 'the disk is slow', context: 'FileStore' });
    expect(outside).not.toHaveProperty('req');
    expect(within).toMatchObject({ level: 40, msg: 'the disk is slow', context: 'FileStore', req: { id: 'r1' } });
  });

  test('hold fields and errors whole', () => {
    const [fields] = lines((logger) => logger.error({ err: new Error('no room'), tenant: 'acme' }, 'not written', 'FileStore'));
    expect(fields).toMatchObject({ msg: 'not written', tenant: 'acme', context: 'FileStore', err: { message: 'no room' } });
    const [thrown] = lines((logger) => logger.error('no room', 'Error: no room\n    at write (file.js:1:1)', 'ExceptionsHandler'));
    expect(thrown).toMatchObject({ context: 'ExceptionsHandler', err: { message: 'no room', stack: expect.stringContaining('at write') } });
    const [bare] = lines((logger) => logger.fatal(new Error('no room'), 'FileStore'));
    expect(bare).toMatchObject({ level: 60, context: 'FileStore', err: { message: 'no room' } });
  });
});
