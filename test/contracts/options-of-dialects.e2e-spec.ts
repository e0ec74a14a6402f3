import type { Type } from '@nestjs/common';
import { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { CreateBatchJobRequest } from '../../src/dialects/annotations/annotations.request.js';
import { CreateBatchOfDataRequest } from '../../src/dialects/batch-service/batch-service.request.js';
import { CreateDocumentJobRequest } from '../../src/dialects/documents/documents.request.js';
import { CreateErpBatchRequest } from '../../src/dialects/erp/erp.request.js';
import { ImportRecords } from '../../src/records/commands/import-records.command.js';
import { appRouter } from '../../src/rpc/router.js';
import { createRpcClient, refusalOf } from '../rpc/client.js';
import type { ApiDocument } from '../support/api-document.js';
import { fieldsOf, leavesOf } from '../support/input-class.js';
import { namesField, toldOf } from '../support/option-answers.js';
import { OPTION_EFFECTS } from '../support/option-effects.js';
import { type Kind, KIND_NAMES, KINDS, startTrialService } from '../support/option-trial.js';
import type { TestService } from '../support/service.js';
import { formOf, upload } from '../support/upload.js';
import { type Answer, Api, type Problem } from './api.js';

// What an option does is shown by options-without-effect; here, that each of the other interfaces hands it on, or says that it does not.

let service: TestService;
let api: Api;

beforeAll(async () => {
  service = await startTrialService();
  api = new Api(service.url);
});
afterAll(() => service.close());

const ROUTES = [
  '/api/batch/annotations/start',
  '/api/batch/create',
  '/api/batch/upload',
  '/api/batches',
  '/api/records/{collection}/import',
  '/api/v1/documents/batch-process',
];

test('these are the routes and procedures that make batches', async () => {
  const { paths } = (await api.get<ApiDocument>('/docs-json')).body;
  const limited = Object.entries(paths).filter(([, { post }]) => post && '429' in (post as unknown as { responses: object }).responses);
  expect(limited.map(([path]) => path).sort()).toEqual(ROUTES);
  const procedures = Object.values(appRouter._def.procedures) as unknown as { _def: { meta?: { input: Type<object> } } }[];
  const inputs = procedures.map(({ _def }) => _def.meta!.input);
  const withOptions = new Set(inputs.filter((input) => fieldsOf(input).some(({ nested }) => nested === BatchOptionsInput)));
  expect(withOptions).toEqual(new Set([CreateBatch, UpdateBatch, ImportRecords]));
});

/** The value at a path. */
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce((inner, name) => (inner as Record<string, unknown>)?.[name], value);

/** An object with the value at the path. */
const within = (path: string, value: unknown): object => path.split('.').reduceRight((inner, name) => ({ [name]: inner }), value) as object;

type Made = Partial<Problem> & {
  data?: { id?: string; jobId?: string; batchId?: string; warnings?: string[] };
  batch?: { id: string };
  jobId?: string;
};

/** The batch as the engine has it. */
async function viewOf({ body }: Answer<Made>): Promise<BatchView> {
  const id = body.batch?.id ?? body.jobId ?? body.data?.jobId ?? body.data?.batchId ?? body.data?.id;
  return (await api.get<{ data: BatchView }>(`/api/batches/${id}`)).body.data;
}

/** @param field as the interface calls it @param seen the path in the engine's view, and what is there */
async function tellsOrDoes(answer: Answer<Made>, field: string, [path, value]: [string, unknown]): Promise<void> {
  const told = toldOf(answer);
  if (told.some((sentence) => namesField(sentence, field))) return;
  expect([answer.status, told]).toEqual([201, told]);
  expect(at(await viewOf(answer), path)).toEqual(value);
}

describe.each(KIND_NAMES)('of an operation that %s', (kind) => {
  const { operation, external } = KINDS[kind];
  const erp = (fields: object, options: object = {}) =>
    api.post<Made>('/api/batch/create', {
      operation,
      items: ['a', 'b', 'c'],
      ...fields,
      options: { externalResults: external, ...options },
    });

  test.each(Object.keys(OPTION_EFFECTS))('the ERP interface hands on %s, or says that it has no effect', async (leaf) => {
    const { value } = OPTION_EFFECTS[leaf]!;
    await tellsOrDoes(await erp({}, value), `options.${leaf}`, [`options.${leaf}`, at(value, leaf)]);
  });

  const ERP_FIELDS: Record<string, [unknown, string, unknown]> = {
    operation: [operation, 'operation', operation],
    filters: [{ count: 2 }, 'filters', { count: 2 }],
    name: ['Named', 'name', 'Named'],
    description: ['Told', 'description', 'Told'],
    total_items: [7, 'counts.total', 7],
    items: [['a'], 'counts.total', 1],
    'options.externalResults': [external !== true, 'external', external !== true],
    'options.durationMs': [1, 'parameters.durationMs', 1],
    'options.model': ['gpt-4', 'parameters.model', 'gpt-4'],
  };

  test('every field of an ERP batch is in the table', () => {
    const named = new Set(Object.keys(ERP_FIELDS).map((field) => field.split('.')[0]!));
    expect([...named].sort()).toEqual(
      fieldsOf(CreateErpBatchRequest)
        .map(({ name }) => name)
        .sort(),
    );
  });

  test.each(Object.keys(ERP_FIELDS))('the ERP interface hands on %s, or says that it has no effect', async (field) => {
    const [value, path, seen] = ERP_FIELDS[field]!;
    const [first, option] = field.split('.') as [string, string?];
    const items = field === 'filters' || field === 'total_items' ? { items: undefined } : {};
    const answer = option ? await erp({}, { [option]: value }) : await erp({ ...items, [first]: value });
    await tellsOrDoes(answer, field, [path, seen]);
  });

  /** By the paths of a batch of data, and what the engine has then. */
  const DATA_FIELDS: Record<string, [unknown, string, unknown?]> = {
    name: ['Named', 'name'],
    description: ['Told', 'description'],
    type: [operation, 'operation'],
    data: [['x'], 'counts.total', 1],
    priority: ['critical', 'options.priority'],
    'config.maxConcurrentJobs': [12, 'options.concurrency'],
    'config.retryAttempts': [0, 'options.retryAttempts'],
    'config.timeoutPerTemplate': [50, 'options.timeout'],
    'config.rollbackOnFailure': [true, 'options.rollbackOnFailure'],
    'config.backupStrategy': ['auto', 'options.backupStrategy'],
    'config.conflictResolution': ['skip', 'options.conflictResolution'],
    'config.notificationSettings.onStart': [true, 'options.notifyOnStart'],
    'config.notificationSettings.onComplete': [true, 'options.notifyOnComplete'],
    'config.notificationSettings.onError': [true, 'options.notifyOnError'],
    'config.notificationSettings.progressInterval': [25, 'options.notifyProgressInterval'],
    'config.resourceLimits.maxMemory': [512, 'options.resourceLimits.maxMemoryMb'],
    'config.resourceLimits.maxCpu': [50, 'options.resourceLimits.maxCpuPercent'],
    'config.resourceLimits.timeout': [60, 'options.batchTimeout', 60_000],
    'config.parameters': [{ durationMs: 1 }, 'parameters'],
  };

  test('every field of a batch of data is in the table', () =>
    expect(Object.keys(DATA_FIELDS).sort()).toEqual(leavesOf(CreateBatchOfDataRequest).sort()));

  test.each(Object.keys(DATA_FIELDS))('a batch of data hands on %s, or says that it has no effect', async (field) => {
    const [value, path, seen = value] = DATA_FIELDS[field]!;
    const body = { name: 'Data', data: ['a', 'b', 'c'], type: operation, ...within(field, value) };
    const answer = await api.post<Made>('/api/batches', body);
    await tellsOrDoes(answer, field, [path, seen]);
    if (isIdle(kind, path)) expect(toldOf(answer)).toContainEqual(expect.stringContaining(`${field} has no effect: `));
  });
});

/** What nobody reads of a batch whose results come from outside. */
function isIdle(kind: Kind, path: string): boolean {
  return kind === 'is worked outside' && ['options.concurrency', 'options.timeout', 'options.priority'].includes(path);
}

/** Of interfaces with one operation: a path, a value, the place in the engine's view, and what is there. */
type Rows = Record<string, [unknown, string, unknown?]>;

describe('document jobs', () => {
  const FIELDS: Rows = {
    documentIds: [['x'], 'counts.total', 1],
    type: ['QUALITY_CHECK', 'parameters.type'],
    'options.maxConcurrent': [7, 'options.concurrency'],
    'options.timeout': [60_000, 'options.batchTimeout'],
    'options.retryAttempts': [0, 'options.retryAttempts'],
    'options.retryDelay': [5, 'options.retryDelay'],
  };
  const create = (fields: object) =>
    api.post<Made>('/api/v1/documents/batch-process', { documentIds: ['a'], type: 'FULL_ANALYSIS', ...fields });

  test('have every field in the table', () => expect(Object.keys(FIELDS).sort()).toEqual(leavesOf(CreateDocumentJobRequest).sort()));

  test.each(Object.keys(FIELDS))('hand on %s, or say that it has no effect', async (field) => {
    const [value, path, seen = value] = FIELDS[field]!;
    await tellsOrDoes(await create(within(field, value)), field, [path, seen]);
  });

  test('tell in their own words what is clamped, and what has no effect beside another option', async () => {
    const { status, body } = await create({ options: { maxConcurrent: 5_000, retryAttempts: 0, retryDelay: 100 } });
    const warnings = [
      'options.maxConcurrent is 5000, and taken as 1000, which is the most',
      'options.retryDelay has no effect: options.retryAttempts is 0: nothing is tried again',
    ];
    expect([status, body.data]).toMatchObject([201, { warnings }]);
  });
});

describe('annotation jobs', () => {
  const FIELDS: Rows = {
    imageIds: [['x'], 'counts.total', 1],
    concurrency: [7, 'options.concurrency'],
    rateLimitPerMinute: [77, 'options.rateLimitPerMinute'],
  };
  const create = (fields: object) => api.post<Made>('/api/batch/annotations/start', { imageIds: ['a'], ...fields });

  test('have every field in the table', () => expect(Object.keys(FIELDS).sort()).toEqual(leavesOf(CreateBatchJobRequest).sort()));

  test.each(Object.keys(FIELDS))('hand on %s, or say that it has no effect', async (field) => {
    const [value, path, seen = value] = FIELDS[field]!;
    await tellsOrDoes(await create(within(field, value)), field, [path, seen]);
  });

  test('tell what the tier does not allow', async () => {
    const { body } = await create({ concurrency: 50, rateLimitPerMinute: 10_000 });
    const warnings = [
      'concurrency is 50, and taken as 10, which is the most',
      'rateLimitPerMinute is 10000, and taken as 500, which is the most',
    ];
    expect(body).toMatchObject({ warnings, concurrency: 10, rateLimitPerMinute: 500 });
  });
});

describe('uploads', () => {
  const FIELDS: Rows = { priority: ['high', 'options.priority'], user_id: ['ada', 'createdBy'] };
  const send = (fields: Record<string, string>) =>
    upload<Made>(service.url, formOf([{ name: 'a.csv', bytes: Buffer.from('a\n1\n') }], fields));

  test('have every field of the form in the table', async () => {
    const { paths } = (await api.get<ApiDocument>('/docs-json')).body;
    const { schema } = paths['/api/batch/upload']!.post!.requestBody!.content['multipart/form-data']!;
    expect(Object.keys(schema!.properties!).sort()).toEqual(['file', ...Object.keys(FIELDS)]);
  });

  test.each(Object.keys(FIELDS))('hand on %s, or say that it has no effect', async (field) => {
    const [value, path] = FIELDS[field]!;
    await tellsOrDoes(await send({ [field]: String(value) }), field, [path, value]);
  });
});

test.each(Object.keys(OPTION_EFFECTS))('an import by tRPC hands on %s, or says that it has no effect', async (leaf) => {
  const { value: options } = OPTION_EFFECTS[leaf]!;
  const call = createRpcClient(service.url).records.import.mutate({ collection: 'rows', rows: [{ a: 1 }, { a: 2 }, { a: 3 }], options });
  const { batch } = await call.catch(async () => Promise.reject(await refusalOf(call)));
  if (batch.warnings.some((sentence) => namesField(sentence, `options.${leaf}`))) return;
  expect(at(batch.options, leaf)).toEqual(at(options, leaf));
});
