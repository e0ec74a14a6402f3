import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { NativeClient } from '../support/native-client.js';
import { type ServiceProcess, spawnService } from '../support/process.js';
import { WebSocket } from 'ws';

/** The page of the document interface: what it shows, and the handler of its socket's messages as that interface prints it. */
class DocumentPage {
  percents: number[] = [];
  statuses: string[] = [];
  successes: string[] = [];
  errors: string[] = [];
  refreshed = 0;

  connect(url: string, userId: string, jobId: string): WebSocket {
    const updateProgressBar = (percent: number) => this.percents.push(percent);
    const updateStatus = (status: string) => this.statuses.push(status);
    const showSuccess = (message: string) => this.successes.push(message);
    const showError = (message: string) => this.errors.push(message);
    const refreshDocumentList = () => (this.refreshed += 1);

    const ws = new WebSocket(`${url.replace('http', 'ws')}/api/dashboard/stream?userId=${userId}`);

    ws.onmessage = (event) => {
      const message = JSON.parse(event.data as string) as { type: string; data: Record<string, string & number> };

      if (message.type === 'batch.progress' && message.data.jobId === jobId) {
        updateProgressBar(message.data.progress!);
        updateStatus(`Processing: ${message.data.processedDocuments}/${message.data.totalDocuments}`);
      }

      if (message.type === 'batch.completed' && message.data.jobId === jobId) {
        showSuccess('Batch processing completed!');
        refreshDocumentList();
      }

      if (message.type === 'batch.failed' && message.data.jobId === jobId) {
        showError(`Batch processing failed: ${message.data.error}`);
      }
    };
    return ws;
  }
}

describe("the document interface's page, against the service as it is built", () => {
  let database: TestDatabase;
  let service: ServiceProcess;
  let client: NativeClient;

  beforeAll(async () => {
    database = await createTestDatabase();
    service = await spawnService({ DATABASE_URL: database.url, LOG_LEVEL: 'trace' });
    client = new NativeClient(service.url);
  });

  afterAll(async () => {
    expect(await service.end('SIGTERM')).toBe(0);
    await database.drop();
  });

  const opened = (socket: WebSocket) => eventually(() => socket.readyState === WebSocket.OPEN, Boolean);
  const documents = (count: number, payload: object) => Array.from({ length: count }, (_, n) => ({ key: `doc-id-${n + 1}`, payload }));

  it('shows the progress of its job, and then its success', async () => {
    const created = await client.create({
      operation: 'noop',
      items: documents(12, { durationMs: 400 }),
      options: { concurrency: 2 },
      start: false,
    });
    const page = new DocumentPage();
    const socket = page.connect(service.url, 'user-1', created.id);
    await opened(socket);
    await client.start(created.id);
    await eventually(
      () => page.successes,
      (shown) => shown.length > 0,
      30_000,
    );
    expect(page.successes).toEqual(['Batch processing completed!']);
    expect(page.refreshed).toBe(1);
    expect(page.errors).toEqual([]);
    expect(page.percents.length).toBeGreaterThan(0);
    expect(page.percents).toEqual([...page.percents].sort((a, b) => a - b));
    for (const status of page.statuses) expect(status).toMatch(/^Processing: \d+\/12$/);
    socket.close();
  });

  it('shows that its job ran out of time', async () => {
    const items = documents(2, { durationMs: 60_000 });
    const created = await client.create({ operation: 'noop', items, options: { batchTimeout: 500 }, start: false });
    const page = new DocumentPage();
    const socket = page.connect(service.url, 'user-1', created.id);
    await opened(socket);
    await client.start(created.id);
    await eventually(
      () => page.errors,
      (shown) => shown.length > 0,
      30_000,
    );
    expect(page.errors).toEqual(['Batch processing failed: Job timeout exceeded']);
    expect(page.successes).toEqual([]);
    socket.close();
  });

  it('no credential of an address gets into the log', async () => {
    const socket = new DocumentPage().connect(service.url, 'user-1&token=A-SECRET', 'none');
    await opened(socket);
    socket.close();
    await fetch(`${service.url}/trpc/batch.stats?connectionParams=${encodeURIComponent('{"token":"A-SECRET"}')}`);
    await eventually(() => service.output().includes('/trpc/batch.stats'), Boolean);
    expect(service.output()).not.toContain('A-SECRET');
  });
});
