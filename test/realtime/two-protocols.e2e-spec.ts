import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { DashboardClient } from './dashboard-client.js';
import { Listener } from './listener.js';

const BATCHES = 100;
const ENDS = ['batch.completed', 'batch.failed', 'batch.cancelled'];

type Kind = 'completes' | 'fails' | 'is cancelled';

/** What one client heard of one batch, in its order. */
interface Told {
  ends: string[];
  percents: number[];
}

/** The three ways to listen, each as "what did you hear of this batch". */
type Ear = (batchId: string) => Told;

const overSocketIo =
  (listener: Listener): Ear =>
  (batchId) => {
    const heard = listener.of(batchId).filter(({ name }) => name.startsWith('batch.'));
    return {
      ends: heard.flatMap(({ name }) => (ENDS.includes(name) ? [name] : [])),
      percents: heard.map(({ payload }) => payload.progress as number),
    };
  };

const overPlainSocket =
  (client: DashboardClient): Ear =>
  (batchId) => ({
    ends: client.types(batchId).filter((type) => ENDS.includes(type)),
    percents: client.of(batchId).flatMap(({ type, data }) => (type === 'batch.progress' ? [data.progress as number] : [])),
  });

describe('Socket.IO and the plain WebSocket on one port', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
  });
  afterAll(() => service.close());

  const kindOf = (n: number): Kind => (n % 5 === 0 ? 'is cancelled' : n % 7 === 0 ? 'fails' : 'completes');

  /** Through four interfaces in turn. Documents and images that nobody stored fail. */
  async function create(n: number): Promise<string> {
    const kind = kindOf(n);
    const unknown = Array.from({ length: 5 }, (_, i) => `unknown-${i}`);
    if (kind === 'fails' && n % 4 === 0) {
      const { body } = await api.post<{ jobId: string }>('/api/batch/annotations/start', { imageIds: unknown });
      return body.jobId;
    }
    if (kind === 'fails' && n % 2 === 0) {
      const request = { documentIds: unknown, type: 'QUALITY_CHECK' };
      return (await api.post<{ data: { jobId: string } }>('/api/v1/documents/batch-process', request)).body.data.jobId;
    }
    const durationMs = kind === 'is cancelled' ? 60_000 : 100 + 20 * (n % 10);
    const payload = { durationMs, ...(kind === 'fails' && { fail: 'permanent' }) };
    const items = Array.from({ length: 10 }, (_, i) => ({ key: `${i}`, payload }));
    const request = { operation: 'noop', items, options: { concurrency: 3 } };
    if (n % 3 === 0) return (await api.post<{ batch: { id: string } }>('/api/batch/create', request)).body.batch.id;
    return (await api.post<{ data: { id: string } }>('/api/batches', request)).body.data.id;
  }

  it('all three kinds of clients hear every end of a hundred batches once, and no progress goes back', async () => {
    const polling = await Listener.connect(service.url, { transports: ['polling'] });
    const websocket = await Listener.connect(service.url, { transports: ['websocket'] });
    const plain = await DashboardClient.connect(service.url);
    const ears = [overSocketIo(polling), overSocketIo(websocket), overPlainSocket(plain)];

    const batches = new Map<string, Kind>();
    for (let n = 1; n <= BATCHES; n += 1) {
      const id = await create(n);
      batches.set(id, kindOf(n));
      if (kindOf(n) === 'is cancelled') await api.post(`/api/batches/${id}/cancel`);
    }
    const heardAll = () => ears.every((ear) => [...batches.keys()].every((id) => ear(id).ends.length > 0));
    await eventually(heardAll, Boolean, 120_000);

    const expected: Record<Kind, string> = { completes: 'batch.completed', fails: 'batch.failed', 'is cancelled': 'batch.cancelled' };
    for (const [id, kind] of batches) {
      for (const ear of ears) {
        const { ends, percents } = ear(id);
        expect(ends).toEqual([expected[kind]]);
        expect(percents).toEqual([...percents].sort((a, b) => a - b));
      }
    }
    const told = plain.heard.filter(({ type }) => type === 'batch.progress').length;
    expect(told).toBeGreaterThan(BATCHES / 2);
    expect(polling.socket.io.engine.transport.name).toBe('polling');
    expect(websocket.socket.io.engine.transport.name).toBe('websocket');

    polling.close();
    websocket.close();
    plain.close();
  }, 240_000);
});
