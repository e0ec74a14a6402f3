import { Module } from '@nestjs/common';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import type { ItemSource } from '../../src/batches/item-source.js';
import { Warnings } from '../../src/batches/warnings.js';
import { ItemHandler, type ItemHandlerClass, type NewItem, type SelectionContext } from '../../src/operations/item-handler.js';
import { Engine } from '../support/engine.js';
import { assertInvariants } from '../support/invariants.js';

@ItemHandler('choosy', { filters: 'any' })
class ChoosyItemHandler implements ItemHandlerClass {
  run(): Promise<void> {
    return Promise.resolve();
  }

  async *selectItems(_filters: unknown, context: SelectionContext): AsyncGenerator<NewItem> {
    context.warn('two of three were left out');
    yield { key: 'a' };
    await Promise.resolve();
    context.warn('the third\0 was odd');
  }
}

@Module({ providers: [ChoosyItemHandler] })
class ChoosyModule {}

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({}, [ChoosyModule])));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

async function* sourceWithWarnings(): ItemSource {
  yield [{ line: 1, text: '{"key":"a"}', key: 'a' }, { warning: 'line 2 was blank' }];
  await Promise.resolve();
  yield [{ warning: 'line 2 was blank' }, { warning: 'line 9 was blank' }];
}

test('what an operation warns of while it chooses the items is kept with the batch', async () => {
  const batch = await engine.create({ operation: 'choosy', filters: {} });
  expect(batch.warnings).toEqual(['two of three were left out', 'the third\uFFFD was odd']);
  expect((await engine.ended(batch)).warnings).toEqual(batch.warnings);
});

test('what a source of items warns of is kept with the batch, each sentence once', async () => {
  const { warnings } = await engine.create({ source: sourceWithWarnings() });
  expect(warnings).toEqual(['line 2 was blank', 'line 9 was blank']);
});

test('what a source warns of is told to whoever adds its items', async () => {
  const { id } = await engine.create({ open: true });
  const added = await engine.call(AddItems, { batchId: id, source: sourceWithWarnings() });
  expect(added).toMatchObject({ added: 1, warnings: ['line 2 was blank', 'line 9 was blank'] });
});

test.each<[string, object, string]>([
  ['the filters choose none', { filters: { count: 0 } }, 'there is nothing to do: the filters choose no items'],
  ['the list is empty', { items: [] }, 'there is nothing to do: the list of items is empty'],
  ['the source brings none', { source: emptySource() }, 'there is nothing to do: no items came'],
])('a batch without items says so when %s', async (_case, input, warning) => {
  const batch = await engine.create(input);
  expect(batch.warnings).toEqual([warning]);
  expect(await engine.ended(batch)).toMatchObject({ status: 'completed', warnings: [warning] });
});

test('a batch that is open, or whose results come from outside, may begin without items', async () => {
  expect((await engine.create({ open: true })).warnings).toEqual([]);
  expect((await engine.create({ operation: 'scripted', external: true })).warnings).toEqual([]);
});

test('an open batch whose filters choose nothing says so', async () => {
  const { warnings } = await engine.create({ open: true, filters: { count: 0 } });
  expect(warnings).toEqual(['there is nothing to do: the filters choose no items']);
});

test.each([{}, { filters: { status: 'open' } }])('so does one over records when the collection has none: %j', async (choice) => {
  const { warnings } = await engine.create({ operation: 'annotate', parameters: { collection: 'nowhere' }, ...choice });
  expect(warnings).toEqual([
    expect.stringMatching(
      'filters' in choice ? /^the collection nowhere has no record that the filters choose$/ : /^the collection nowhere has no record$/,
    ),
    expect.stringMatching(/^there is nothing to do: /),
  ]);
});

test('work outside that nobody here knows, without items or a number of them, is warned of, and so are filters for it', async () => {
  const input = { operation: 'proofread', external: true };
  expect((await engine.create(input)).warnings).toEqual([
    expect.stringMatching(/^no item handler does proofread here, and neither items nor totalItems/),
  ]);
  expect((await engine.create({ ...input, totalItems: 2 })).warnings).toEqual([]);
  const { warnings, filters } = await engine.create({ ...input, items: ['a'], filters: { language: 'fr' } });
  expect([warnings, filters]).toEqual([[expect.stringMatching(/^filters choose no items: results come from outside/)], { language: 'fr' }]);
});

test('a batch whose items were all skipped says that nothing was done, and one that did something does not', async () => {
  const idle = await engine.run(() => ({ skipped: 'it was there already' }), { items: ['a', 'b'] });
  expect((await engine.ended(idle)).warnings).toEqual(['nothing was done: all 2 items were skipped']);
  const half = await engine.run(({ key }) => (key === 'a' ? { skipped: 'it was there already' } : {}), { items: ['a', 'b'] });
  expect((await engine.ended(half)).warnings).toEqual([]);
});

test('adding a stream without items says so', async () => {
  const { id } = await engine.create({ open: true });
  expect(await engine.call(AddItems, { batchId: id, source: emptySource() })).toMatchObject({
    added: 0,
    warnings: ['nothing was added: no items came'],
  });
});

test('fifty warnings are kept, and of more their number', () => {
  const warnings = new Warnings();
  for (let number = 1; number <= 60; number += 1) warnings.add(`warning ${number}`);
  warnings.add('warning 1');
  warnings.add('x'.repeat(2_000));
  expect(warnings.list()).toHaveLength(51);
  expect(warnings.list().at(-1)).toBe('there are 11 more warnings, which are not kept');
});

async function* emptySource(): ItemSource {
  await Promise.resolve();
  yield [];
}
