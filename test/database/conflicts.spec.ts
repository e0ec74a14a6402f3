import { Logger } from '@nestjs/common';
import { conflictsMet, despiteConflicts, Overtaken } from '../../src/database/conflicts.js';

beforeAll(() => Logger.overrideLogger(false));

const deadlock = () => Object.assign(new Error('deadlock detected'), { code: '40P01' });

/** Fails with these errors, one after the other, and then gives the number of the try. */
function failing(...errors: Error[]): () => Promise<number> {
  let tries = 0;
  return async () => {
    const error = errors[tries++];
    if (error) throw error;
    return tries;
  };
}

test.each([
  ['a deadlock', deadlock(), { deadlocks: 2, others: 0 }],
  ['a serialization failure', Object.assign(new Error('could not serialize access'), { code: '40001' }), { deadlocks: 0, others: 2 }],
  ['a batch that has begun a new run', new Overtaken('meanwhile'), { deadlocks: 0, others: 2 }],
])('work that %s made in vain is done again, and counted', async (_, error, counted) => {
  const before = conflictsMet();
  expect(await despiteConflicts(failing(error, error))).toBe(3);
  const after = conflictsMet();
  expect({ deadlocks: after.deadlocks - before.deadlocks, others: after.others - before.others }).toEqual(counted);
});

test('a conflict that comes up again and again is told', async () => {
  await expect(despiteConflicts(failing(...Array.from({ length: 9 }, deadlock)))).rejects.toMatchObject({ code: '40P01' });
});

test('what is no conflict is told at once', async () => {
  const other = Object.assign(new Error('no such table'), { code: '42P01' });
  const work = failing(other, other);
  await expect(despiteConflicts(work)).rejects.toBe(other);
  await expect(work()).rejects.toBe(other);
  expect(await work()).toBe(3);
});
