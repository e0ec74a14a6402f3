import { BatchOptionsInput } from '../../src/batches/batch.options.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { fieldsOf, leavesOf } from '../support/input-class.js';
import { namesField, toldOf } from '../support/option-answers.js';
import { OPTION_EFFECTS } from '../support/option-effects.js';
import { type Kind, KIND_NAMES, LONG, OptionTrial, startTrialService } from '../support/option-trial.js';
import type { TestService } from '../support/service.js';

let service: TestService;
let trial: OptionTrial;

beforeAll(async () => (service = await startTrialService()));
afterEach(() => trial?.end());
afterAll(() => service.close());

const OPTIONS = leavesOf(BatchOptionsInput);

test('every option that a batch can be given has an entry here', () => expect(Object.keys(OPTION_EFFECTS).sort()).toEqual(OPTIONS.sort()));

describe.each(KIND_NAMES)('of an operation that %s', (kind) => {
  test.each(OPTIONS)(
    'the option %s does something, or the answer says that it does not',
    async (option) => {
      trial = new OptionTrial(service, kind);
      const { value, seen } = OPTION_EFFECTS[option]!;
      const told = toldOf(await trial.create({ options: value, start: kind === 'is worked outside' ? undefined : false }));
      if (!told.some((sentence) => namesField(sentence, `options.${option}`))) await seen(trial, value);
    },
    60_000,
  );
});

type FieldCheck = { with: (kind: Kind) => object; seen?: (trial: OptionTrial) => Promise<unknown> };

const isOutside = (kind: Kind): boolean => kind === 'is worked outside';
const made = async (fields: object) => (await trial.create(fields)).body.data!;

/** Every field of a creation beside its operation and options: what is given, and how it is seen where the answer does not speak of it. */
const FIELDS: Record<string, FieldCheck> = {
  name: { with: () => ({ name: 'Named' }), seen: async () => expect(await made({ name: 'Named' })).toMatchObject({ name: 'Named' }) },
  description: {
    with: () => ({ description: 'Told' }),
    seen: async () => expect(await made({ description: 'Told' })).toMatchObject({ description: 'Told' }),
  },
  filters: {
    with: (kind) => ({ filters: { count: 2 }, ...(isOutside(kind) ? {} : { items: undefined }) }),
    seen: async () => expect(await made({ filters: { count: 2 }, items: undefined })).toMatchObject({ counts: { total: 2 } }),
  },
  parameters: {
    with: (kind) => ({ parameters: { durationMs: LONG.durationMs }, ...(isOutside(kind) ? {} : { start: false }) }),
    seen: async () => {
      const { id } = await made({ parameters: { durationMs: LONG.durationMs } });
      await trial.until(id, ({ counts }) => counts.running > 0);
    },
  },
  items: {
    with: () => ({ items: ['a', 'b'] }),
    seen: async () => expect(await made({ items: ['a', 'b'] })).toMatchObject({ counts: { total: 2 } }),
  },
  source: { with: () => ({ source: ['a'] }) },
  warnings: {
    with: () => ({ warnings: ['mind the gap'] }),
    seen: async () => expect(await made({ warnings: ['mind the gap'] })).toMatchObject({ warnings: ['mind the gap'] }),
  },
  totalItems: {
    with: (kind) => ({ totalItems: 7, ...(isOutside(kind) ? { items: undefined } : {}) }),
    seen: async () => expect(await made({ totalItems: 7, items: undefined })).toMatchObject({ counts: { total: 7 } }),
  },
  external: {
    with: (kind) => ({ external: !isOutside(kind) }),
    seen: async () => {
      const { id } = await made({ external: true });
      expect((await trial.api.post(`/api/batches/${id}/results`, { key: 'i0', success: true })).status).toBe(200);
    },
  },
  start: {
    with: (kind) => ({ start: isOutside(kind) }),
    seen: async () => trial.shutBy((await made({ start: false })).id, 'not-started'),
  },
  open: { with: () => ({ open: true }), seen: async () => expect(await made({ open: true })).toMatchObject({ sealed: false }) },
};

test('every field of a creation has an entry here', () => {
  const fields = fieldsOf(CreateBatch).map(({ name }) => name);
  expect(fields.sort()).toEqual([...Object.keys(FIELDS), 'operation', 'options'].sort());
});

describe.each(KIND_NAMES)('of an operation that %s', (kind) => {
  test.each(Object.keys(FIELDS))('the field %s does something, or the answer says that it does not', async (field) => {
    trial = new OptionTrial(service, kind);
    const { with: fieldsOfKind, seen } = FIELDS[field]!;
    const told = toldOf(await trial.create(fieldsOfKind(kind)));
    if (!told.some((sentence) => namesField(sentence, field))) await seen!(trial);
  });
});
