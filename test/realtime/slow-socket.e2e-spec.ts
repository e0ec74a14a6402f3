import type { Socket as TcpSocket } from 'node:net';
import { BatchGateway } from '../../src/realtime/batch.gateway.js';
import { eventually } from '../support/eventually.js';
import { startTestService } from '../support/service.js';
import { Listener } from './listener.js';

/** Several times what the operating system keeps for a reader that has stopped. */
const FLOOD = 3_000;
const PAYLOAD = { batchId: 'flood', text: 'x'.repeat(10_000) };

test('a socket that does not read misses progress, costs no memory, holds up nobody, and still hears of the end', async () => {
  const service = await startTestService();
  const gateway = service.app.get(BatchGateway);
  const slow = await Listener.connect(service.url, { transports: ['websocket'] });
  const fast = await Listener.connect(service.url, { transports: ['websocket'] });
  const wire = (slow.socket.io.engine as unknown as { transport: { ws: { _socket: TcpSocket } } }).transport.ws._socket;

  wire.pause();
  for (let n = 1; n <= FLOOD; n += 1) {
    gateway.send('default', { name: 'batch.progress', payload: PAYLOAD }, true);
    // As events come: one at a time, with time for what reads to read.
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  gateway.send('default', { name: 'batch.completed', payload: { batchId: 'flood' } }, false);
  await fast.until('batch.completed', 'flood');
  expect(fast.of('flood')).toHaveLength(FLOOD + 1);

  wire.resume();
  await slow.until('batch.completed', 'flood');
  const heard = slow.of('flood').length;
  expect(heard).toBeLessThan(FLOOD / 2);
  expect(slow.names('flood').at(-1)).toBe('batch.completed');

  // Having caught up, it is told of everything again.
  gateway.send('default', { name: 'batch.progress', payload: PAYLOAD }, true);
  await eventually(() => slow.of('flood').length === heard + 1, Boolean);
  slow.close();
  fast.close();
  await service.close();
});
