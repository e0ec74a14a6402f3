import type { CreatedDocumentJobReply, DocumentJobReply } from '../../src/dialects/documents/documents.reply.js';
import { Api } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually, Gate } from '../support/eventually.js';
import { FakeProvider, GOOD_FINDINGS } from '../support/fake-provider.js';
import { type ServiceProcess, spawnService } from '../support/process.js';
import { WebSocket } from 'ws';

const USER = 'user-1';

/** The page of the document interface: what it shows, and its code as that interface prints it. */
class DocumentPage {
  percents: number[] = [];
  statuses: string[] = [];
  successes: string[] = [];
  errors: string[] = [];
  refreshed = 0;
  polled: number[] = [];
  isPolling = true;
  jobId = '';
  socket?: WebSocket;
  private pollInterval?: NodeJS.Timeout;

  constructor(private readonly url: string) {}

  async process(selectedDocuments: string[], options: object): Promise<void> {
    const token = 'a-token';

    // Create batch processing job
    const response = await fetch(`${this.url}/api/v1/documents/batch-process`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({
        documentIds: selectedDocuments,
        type: 'FULL_ANALYSIS',
        options,
      }),
    });

    const { data } = (await response.json()) as CreatedDocumentJobReply;
    this.jobId = data.jobId;
    this.listen(data.jobId);
    this.poll(data.jobId);
  }

  close(): void {
    this.socket?.close();
    clearInterval(this.pollInterval);
  }

  /** Connect to WebSocket for progress updates */
  private listen(jobId: string): void {
    const updateProgressBar = (percent: number) => this.percents.push(percent);
    const updateStatus = (status: string) => this.statuses.push(status);
    const showSuccess = (message: string) => this.successes.push(message);
    const showError = (message: string) => this.errors.push(message);
    const refreshDocumentList = () => (this.refreshed += 1);

    const ws = new WebSocket(`${this.url.replace('http', 'ws')}/api/dashboard/stream?userId=${USER}`);
    this.socket = ws;

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
  }

  /** Poll for status updates (fallback if WebSocket not available) */
  private poll(jobId: string): void {
    const ask = async () => {
      const statusResponse = await fetch(`${this.url}/api/v1/documents/batch-process/${jobId}`);
      const { data: job } = (await statusResponse.json()) as DocumentJobReply;

      this.polled.push(job.progress);

      if (job.status === 'COMPLETED' || job.status === 'FAILED') {
        clearInterval(this.pollInterval);
        this.isPolling = false;
      }
    };
    this.pollInterval = setInterval(() => void ask(), 2000);
  }
}

describe("the document interface's page, against the service as it is built", () => {
  let database: TestDatabase;
  let provider: FakeProvider;
  let service: ServiceProcess;
  let api: Api;
  let page: DocumentPage;
  const documents = Array.from({ length: 12 }, (_, index) => `doc-id-${index + 1}`);

  beforeAll(async () => {
    database = await createTestDatabase();
    provider = await FakeProvider.start();
    service = await spawnService({ DATABASE_URL: database.url, LOG_LEVEL: 'trace', AI_BASE_URL: provider.url });
    api = new Api(service.url);
    for (const id of documents) await api.send('PUT', `/api/records/documents/${id}`, { fields: { text: `The text of ${id}.` } });
  });

  afterAll(async () => {
    expect(await service.end('SIGTERM')).toBe(0);
    await provider.close();
    await database.drop();
  });

  beforeEach(() => (page = new DocumentPage(service.url)));

  afterEach(() => page.close());

  /** The provider answers nothing before the gate is open. */
  const holdAnswers = (): Gate => {
    const gate = new Gate();
    provider.answer = async () => {
      await gate.opened;
      return { findings: GOOD_FINDINGS };
    };
    return gate;
  };

  const opened = () => eventually(() => page.socket?.readyState === WebSocket.OPEN, Boolean);

  it('shows the progress of its job, and then its success, over both ways', async () => {
    const gate = holdAnswers();
    await page.process(documents, { maxConcurrent: 5, timeout: 300000 });
    await opened();
    await eventually(
      () => page.polled,
      ({ length }) => length > 0,
    );
    gate.open();
    await eventually(() => page.successes.length > 0 && !page.isPolling, Boolean, 30_000);
    expect(page.successes).toEqual(['Batch processing completed!']);
    expect(page.refreshed).toBe(1);
    expect(page.errors).toEqual([]);
    for (const percents of [page.percents, page.polled]) {
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
      expect(percents.at(-1)).toBe(100);
    }
    for (const status of page.statuses) expect(status).toMatch(/^Processing: \d+\/12$/);
    expect(page.statuses.at(-1)).toBe('Processing: 12/12');
  }, 60_000);

  it('shows that its job ran out of time, when the documents in work are done', async () => {
    provider.requests.length = 0;
    const gate = holdAnswers();
    await page.process(documents, { maxConcurrent: 2, timeout: 5_000 });
    await opened();
    await eventually(
      () => provider.requests.length,
      (count) => count === 2,
    );
    await eventually(
      () => api.get<DocumentJobReply>(`/api/v1/documents/batch-process/${page.jobId}`),
      ({ body }) => body.data.status === 'TIMEOUT',
      30_000,
    );
    expect(page.errors).toEqual([]);
    gate.open();
    await eventually(
      () => page.errors,
      (shown) => shown.length > 0,
      30_000,
    );
    expect(page.errors).toEqual(['Batch processing failed: Job timeout exceeded']);
    expect(page.successes).toEqual([]);
    expect(provider.requests).toHaveLength(2);
  }, 60_000);

  it('no credential of an address gets into the log', async () => {
    const socket = new WebSocket(`${service.url.replace('http', 'ws')}/api/dashboard/stream?userId=${USER}&token=A-SECRET`);
    await eventually(() => socket.readyState === WebSocket.OPEN, Boolean);
    socket.close();
    await fetch(`${service.url}/trpc/batch.stats?connectionParams=${encodeURIComponent('{"token":"A-SECRET"}')}`);
    await eventually(() => service.output().includes('/trpc/batch.stats'), Boolean);
    expect(service.output()).not.toContain('A-SECRET');
  });
});
