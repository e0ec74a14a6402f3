import { PDFDocument, StandardFonts } from 'pdf-lib';
import type {
  CreatedDocumentJobReply,
  DocumentJob,
  DocumentJobReply,
  DocumentResult,
} from '../../src/dialects/documents/documents.reply.js';
import type { FileView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { spawnService, type ServiceProcess } from '../support/process.js';

const JOBS = '/api/v1/documents/batch-process';
const WAIT_MS = 60_000;

const LETTER = `Dear Ms Lovelace,

we thank you for your order of the analytical engine. Our agreement was signed on 12 March 2025 in London. The parcel will be
shipped to your address within thirty days, and the invoice follows by separate mail. Please write to desk@babbage.example
with any question about the delivery.

Total: 1,200.00 GBP
`;

/** The person's way through the document interface, against the service as it is built. */
describe('a person who has documents analyzed', () => {
  let database: TestDatabase;
  let service: ServiceProcess;
  let api: Api;
  /** A record, a record with a PDF, a text file, a CSV file, a broken PDF, and one that nobody knows. */
  const ids = { record: 'contract-7', pdf: 'offer/2025-03', text: '', csv: '', broken: '', unknown: 'doc-of-nobody' };

  beforeAll(async () => {
    database = await createTestDatabase();
    service = await spawnService({ DATABASE_URL: database.url });
    api = new Api(service.url);
    await putRecord(ids.record, { title: 'Contract 7', text: LETTER, total: '1,200.00 GBP' });
    await putRecord(ids.pdf, { title: 'Offer' }, await upload('offer.pdf', 'application/pdf', await pdfOf(LETTER)));
    ids.text = await upload('letter.txt', 'text/plain', LETTER);
    ids.csv = await upload('orders.csv', 'text/csv', 'order,customer,amount\n1,Ada,10.50\n2,Charles,20.00\n3,Mary,7.25\n');
    ids.broken = await upload('broken.pdf', 'application/pdf', '%PDF-1.7\nthis is no PDF at all\n');
  }, 90_000);

  afterAll(async () => {
    expect(await service.end('SIGTERM')).toBe(0);
    await database.drop();
  });

  const putRecord = async (key: string, fields: object, fileId?: string) => {
    const { status } = await api.send('PUT', `/api/records/documents/${encodeURIComponent(key)}`, { fields, fileId });
    expect(status).toBeLessThan(300);
  };

  const upload = async (name: string, type: string, content: string | Uint8Array): Promise<string> => {
    const form = new FormData();
    form.append('file', new Blob([content], { type }), name);
    const response = await fetch(`${service.url}/api/files`, { method: 'POST', body: form });
    return ((await response.json()) as { data: FileView }).data.id;
  };

  /** The frontend of the document with its polling shortened: what its user would see. */
  const runFrontend = async (documentIds: string[], type: string, options: object = { maxConcurrent: 5, timeout: 300000 }) => {
    const response = await fetch(`${service.url}${JOBS}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'Bearer a-token' },
      body: JSON.stringify({ documentIds, type, options }),
    });
    expect(response.status).toBe(201);
    const { data } = (await response.json()) as CreatedDocumentJobReply;
    const bar: number[] = [];
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      const statusResponse = await fetch(`${service.url}${JOBS}/${data.jobId}`);
      const { data: job } = (await statusResponse.json()) as DocumentJobReply;
      bar.push(job.progress);
      if (job.status === 'COMPLETED' || job.status === 'FAILED') return { job, bar };
      if (performance.now() > deadline) throw new Error(`still ${job.status}: ${JSON.stringify(job)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  const resultOf = (job: DocumentJob, id: string): DocumentResult => job.results.find(({ documentId }) => documentId === id)!;

  const fieldsOf = (result: DocumentResult | undefined) => Object.keys(result!.data as object).sort();

  it('follows the job to its end: the bar never goes back and ends at 100, results and errors are all there', async () => {
    const { job, bar } = await runFrontend(Object.values(ids), 'FULL_ANALYSIS');
    expect(job).toMatchObject({ status: 'COMPLETED', progress: 100, totalDocuments: 6, processedDocuments: 6, failedDocuments: 2 });
    expect(bar).toEqual([...bar].sort((a, b) => a - b));
    expect(bar.at(-1)).toBe(100);
    expect(job.documentIds).toEqual(Object.values(ids));
    expect(job.errors.map(({ documentId, error, attempts }) => [documentId, error, attempts])).toEqual([
      [ids.broken, expect.stringMatching(/^this PDF cannot be opened: /), 1],
      [ids.unknown, 'document doc-of-nobody not found', 1],
    ]);
    for (const id of [ids.record, ids.pdf, ids.text]) {
      expect(resultOf(job, id).data).toMatchObject({
        language: 'en',
        classification: { category: expect.any(String) },
        extraction: {
          dates: expect.arrayContaining([{ text: '12 March 2025', iso: '2025-03-12' }]),
          emails: ['desk@babbage.example'],
          amounts: [{ text: '1,200.00 GBP', value: 1200, currency: 'GBP' }],
        },
        entities: { people: expect.any(Array), places: expect.any(Array) },
        quality: { score: expect.any(Number), issues: expect.any(Array) },
        anomalies: expect.any(Array),
        analyzer: 'offline',
        truncated: false,
      });
    }
  }, 90_000);

  it('checks quality alone', async () => {
    const { job } = await runFrontend([ids.record, ids.pdf, ids.csv], 'QUALITY_CHECK');
    const fields = ['analyzer', 'language', 'quality', 'truncated'];
    // The file's amounts have zeros behind, and stay text for it.
    expect(job.results.map(fieldsOf)).toEqual([fields, fields, [...fields, 'warnings']]);
    const scores = job.results.map(({ data }) => (data as { quality: { score: number } }).quality.score);
    expect(scores[0]).toBeGreaterThan(scores[2]!);
  }, 90_000);

  it('extracts data alone: a CSV file is a table', async () => {
    const { job } = await runFrontend([ids.csv], 'DATA_EXTRACTION');
    expect(fieldsOf(job.results[0])).toEqual(['analyzer', 'extraction', 'truncated', 'warnings']);
    const rows = [
      ['1', 'Ada', '10.50'],
      ['2', 'Charles', '20.00'],
      ['3', 'Mary', '7.25'],
    ];
    expect(job.results[0]!.data).toMatchObject({
      extraction: { tables: [{ columns: ['order', 'customer', 'amount'], rows, rowCount: 3 }] },
    });
  }, 90_000);

  it('gets the short form of a stack of documents', async () => {
    const { job } = await runFrontend([ids.record, ids.text], 'BATCH_ANALYSIS', { maxConcurrent: 3 });
    expect(job).toMatchObject({ type: 'BATCH_ANALYSIS', failedDocuments: 0 });
    for (const { data } of job.results) {
      expect(data).toMatchObject({
        summary: expect.stringMatching(/\w+ \w+/),
        keyFacts: expect.arrayContaining([expect.stringMatching(/^total: 1,200\.00 GBP$/i)]),
      });
    }
  }, 90_000);

  it('sees a job fail when none of its documents is known, and cannot cancel it any more', async () => {
    const { job } = await runFrontend(['nobody-1', 'nobody-2'], 'FULL_ANALYSIS');
    expect(job).toMatchObject({ status: 'FAILED', failedDocuments: 2, error: 'every item failed' });
    const { status, body } = await api.post<Problem>(`${JOBS}/${job.id}/cancel`);
    expect(status).toBe(409);
    expect(body.message).toContain('failed');
  }, 90_000);

  it('has a stack of a hundred documents done, fifteen at a time', async () => {
    const many = Array.from({ length: 100 }, (_, index) => [ids.record, ids.text][index % 2]!);
    const { job } = await runFrontend(many, 'FULL_ANALYSIS', { maxConcurrent: 15 });
    expect(job).toMatchObject({ status: 'COMPLETED', totalDocuments: 100, processedDocuments: 100, failedDocuments: 0 });
    expect(job.results).toHaveLength(100);
  }, 90_000);
});

async function pdfOf(text: string): Promise<Uint8Array> {
  const pdf = await PDFDocument.create();
  const font = await pdf.embedFont(StandardFonts.Helvetica);
  const page = pdf.addPage([800, 600]);
  text.split('\n').forEach((line, index) => page.drawText(line, { x: 40, y: 550 - index * 18, size: 12, font }));
  return pdf.save();
}
