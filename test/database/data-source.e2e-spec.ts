import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Pool, type PoolConfig } from 'pg';
import { dataSourceOptions } from '../../src/database/data-source.js';

it('a connection that PostgreSQL ends in the moment it is made costs an error of whoever uses it, not the process', async () => {
  const server = createServer((socket) => socket.once('data', () => socket.end(Buffer.concat([AUTHENTICATED, READY, GOING_DOWN]))));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { extra } = dataSourceOptions('postgres://nobody@localhost/nothing', 1);
  const pool = new Pool({ ...(extra as PoolConfig), host: '127.0.0.1', port: (server.address() as AddressInfo).port, user: 'nobody' });
  pool.on('error', () => undefined);

  // Both in one piece: the error is there before anybody could listen to it.
  await expect(pool.connect()).rejects.toThrow();

  await pool.end();
  server.close();
});

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const AUTHENTICATED = message('R', Buffer.from([0, 0, 0, 0]));
const READY = message('Z', Buffer.from('I'));
const GOING_DOWN = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'));
