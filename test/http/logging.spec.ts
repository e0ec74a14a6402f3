import { type LoggerOptions, pino } from 'pino';
import { loggerParams } from '../../src/common/logging.module.js';

function logged(fields: object): string {
  let text = '';
  const options = loggerParams({ logLevel: 'info' }).pinoHttp as LoggerOptions;
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
