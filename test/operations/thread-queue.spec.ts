import { type Place, ThreadQueue, type Waiter } from '../../src/threads/thread-queue.js';

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A batch whose limits a test changes while its items wait. */
function batchIn(queue: ThreadQueue, limits: ReturnType<Waiter['limits']>) {
  const entered: string[] = [];
  const enter = async (name: string, memoryMb = 100): Promise<Place> => {
    const place = await queue.enter({ tenant: 't', batchId: 'b', memoryMb, limits: () => limits }, never);
    entered.push(name);
    return place;
  };
  return { limits, entered, enter };
}

test('a batch has no more memory at a time than it may', async () => {
  const { entered, enter } = batchIn(new ThreadQueue(8), { maxMemoryMb: 250 });
  const [first] = await Promise.all([enter('first'), enter('second')]);
  const third = enter('third');
  await settled();
  expect(entered).toEqual(['first', 'second']);
  first.leave();
  await third;
});

test('an item that waits goes on when its batch’s limit of memory is raised, though no other item comes or goes', async () => {
  const { limits, entered, enter } = batchIn(new ThreadQueue(8), { maxMemoryMb: 100 });
  await enter('first');
  const second = enter('second');
  await settled();
  expect(entered).toEqual(['first']);
  limits.maxMemoryMb = 200;
  await second;
});

test('an item that waits gets no more memory than its batch may have by then', async () => {
  const { limits, entered, enter } = batchIn(new ThreadQueue(8), { maxMemoryMb: 256 });
  const first = await enter('first', 256);
  const rest = [enter('second', 256), enter('third', 256)] as const;
  limits.maxMemoryMb = 128;
  first.leave();
  const second = await rest[0];
  expect(second.memoryMb).toBe(128);
  await settled();
  expect(entered).toEqual(['first', 'second']);
  second.leave();
  expect((await rest[1]).memoryMb).toBe(128);
});

test.each([
  ['taken away', undefined],
  ['raised', 10_000],
])('a batch that owes processor time goes on when its limit is %s, though no other item comes or goes', async (_change, percent) => {
  const { limits, entered, enter } = batchIn(new ThreadQueue(8), { maxCpuPercent: 1 });
  const place = await enter('first');
  place.charge(10_000);
  place.leave();
  const second = enter('second');
  await settled();
  expect(entered).toEqual(['first']);
  limits.maxCpuPercent = percent;
  await second;
});

/** Enters the queue for items of tenants, "acme 1", "acme 2", and tells who got a place. */
function tenantsIn(queue: ThreadQueue) {
  const entered: string[] = [];
  const places = new Map<string, Place>();
  const enter = (...names: string[]): void => {
    for (const name of names) {
      const [tenant = '', batchId = ''] = name.split(' ');
      void queue.enter({ tenant, batchId, memoryMb: 1, limits: () => ({}) }, never).then((place) => {
        entered.push(name);
        places.set(name, place);
      });
    }
  };
  const leave = (name: string): void => places.get(name)!.leave();
  return { entered, enter, leave };
}

describe('places for threads', () => {
  test('that one tenant fills leave one more for a tenant that has none, and no more than one', async () => {
    const { entered, enter, leave } = tenantsIn(new ThreadQueue(2));
    enter('acme 1', 'acme 1', 'acme 2', 'globex 1', 'globex 1', 'initech 1');
    await settled();
    expect(entered).toEqual(['acme 1', 'acme 1', 'globex 1']);
    leave('globex 1');
    await settled();
    expect(entered.slice(3)).toEqual(['initech 1']);
  });

  test('go to the tenant that has the fewest, then to the one that had one the longest ago, its batches in turns', async () => {
    const { entered, enter, leave } = tenantsIn(new ThreadQueue(2));
    enter('acme 1', 'acme 1', 'acme 1', 'acme 2', 'acme 1', 'globex 1', 'globex 1', 'globex 2');
    await settled();
    for (let next = 0; next < 5; next += 1) {
      leave(entered[next]!);
      await settled();
    }
    expect(entered).toEqual(['acme 1', 'acme 1', 'globex 1', 'acme 1', 'globex 1', 'acme 2', 'globex 2']);
  });

  test('are all for one tenant when nobody else wants any', async () => {
    const { entered, enter } = tenantsIn(new ThreadQueue(3));
    enter('acme 1', 'acme 1', 'acme 1', 'acme 1');
    await settled();
    expect(entered).toHaveLength(3);
  });
});
